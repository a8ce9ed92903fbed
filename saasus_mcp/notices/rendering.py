"""The text of an event for the readers of a channel: whom it concerns, what happens, how far it reaches, and where to decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_args

from saasus_mcp.catalog.jobs import find_job
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.text import Quoted, one_line
from saasus_mcp.notices.notice import MAX_LINE, MAX_TITLE, Notice, inert_text
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.question.content import Timestamp
from saasus_mcp.permissions.question.formatting import Reader, format_sentence, format_value
from saasus_mcp.store.job_records import Job, RowOutcome
from saasus_mcp.store.notice_records import NoticeEvent
from saasus_mcp.store.records import Approval
from saasus_mcp.store.store import Store

MAX_REACH = 3
"""Facts of the reach in a notice. The page has all of them."""

MAX_NAME, LABEL_SPACE = 60, 40
"""Characters of a person's name in a line, and of what stands there beside name and id."""


@dataclass(frozen=True, slots=True)
class NoticeRenderer:
    """Makes notices of events.

    Attributes:
        console_url: returns the address of the console; empty if no console runs.
        redact: removes the secrets of this process, as a last line of defence.
    """

    console_url: Callable[[], str]
    redact: Callable[[str], str]

    def render(self, event: NoticeEvent, store: Store, reader: Reader, now: float) -> Notice | None:
        """Return the notice for a reader, or None if it is outdated: nothing waits any more, or the record is gone."""
        if event.kind.startswith("approval_"):
            approval = store.find_approval(str(event.data.get("code", "")), now)
            return self._of_approval(event, approval, store, reader) if approval is not None else None
        if event.kind.startswith("job_"):
            job = store.jobs.get(str(event.data.get("job", "")))
            return self._of_job(event, job, store, reader) if job is not None else None
        if event.kind == "audit_broken":
            title = message("notices.audit_broken_title", store=Quoted(str(event.data.get("store", "")), bare=True))
            lines = (message("notices.audit_breaks", count=int(event.data.get("breaks", 1))),)
            return self._notice(event, reader, title, (*lines, message("notices.audit_hint")), page="/audit")
        title = one_of("notices.freeze_title", event.kind, place=_place(event.profile))
        by, name = str(event.data.get("by", "")), str(event.data.get("by_name", ""))
        decision = [_person("notices.decided_by", by, store, name)]
        if reason := str(event.data.get("reason", "")):
            decision.append(message("notices.reason", reason=Quoted(reason)))
        return self._notice(event, reader, title, decision)

    def test(self, reader: Reader, now: float, id: str) -> Notice:
        """Return a notice that only proves that a channel works."""
        event = NoticeEvent(id, "approval_requested", "", now, {})
        shown = self._notice(event, reader, message("notices.test_title"), (message("notices.test_line"),))
        return Notice(id, "test", "", now, shown.title, shown.lines, link=shown.link, link_text=shown.link_text)

    def _of_approval(self, event: NoticeEvent, approval: Approval, store: Store, reader: Reader) -> Notice | None:
        pending = event.kind == "approval_requested"
        if pending and approval.status != "pending":
            return None
        question = stored_question.load_question(approval)
        headline = format_sentence(question.headline, reader) if question else approval.operation
        lines: list[Message] = [_place(approval.profile, sandbox=question is not None and question.place.sandbox)]
        requester_name = question.requester_name if question else ""
        lines.append(_person("notices.requested_by", approval.principal, store, requester_name))
        if pending:
            reach = question.reach[:MAX_REACH] if question else ()
            shown = [(fact.label, format_value(fact.value, reader)) for fact in reach]
            lines += [message("notices.fact", label=label, value=value) for label, value in shown]
            until = format_value(Timestamp(approval.expires_at), reader)
            lines += [message("notices.until", time=until), *self._how_to_decide(approval)]
        else:
            if approval.decided_by and event.kind != "approval_expired":
                name = str(event.data.get("by_name") or "")
                lines.append(_person("notices.decided_by", approval.decided_by, store, name))
            if approval.reason:
                lines.append(message("notices.reason", reason=Quoted(approval.reason)))
        title = one_of("notices.approval_title", event.kind, headline=headline)
        page = f"/approvals/{approval.code}"
        return self._notice(event, reader, title, lines, reference=approval.code, page=page)

    def _how_to_decide(self, approval: Approval) -> list[Message]:
        decide = message("notices.other_person") if approval.two_person else None
        command = None if self.console_url() else message("notices.in_terminal", code=approval.code)
        return [each for each in (decide, command) if each is not None]

    def _of_job(self, event: NoticeEvent, job: Job, store: Store, reader: Reader) -> Notice:
        spec = find_job(job.name)
        title = one_of("notices.job_title", event.kind, job=spec.title if spec else job.name)
        lines: list[Message] = [_place(job.profile), _person("notices.started_by", job.principal, store)]
        counts = job.report.get("counts")
        if isinstance(counts, Mapping):
            numbers = {key: value for key, value in counts.items() if isinstance(value, int) and key in _OUTCOMES}
            lines += [one_of("notices.rows", key, count=numbers[key]) for key in _OUTCOMES if numbers.get(key)]
        lines.append(message("notices.job_id", job=job.id))
        return self._notice(event, reader, title, lines, reference=job.id)

    def _notice(
        self,
        event: NoticeEvent,
        reader: Reader,
        title: Message,
        lines: list[Message] | tuple[Message, ...],
        *,
        reference: str = "",
        page: str = "",
    ) -> Notice:
        base, language = self.console_url(), reader.language
        return Notice(
            event.id,
            event.kind,
            event.profile,
            event.at,
            inert_text(self.redact(title.text(language)), MAX_TITLE),
            tuple(inert_text(self.redact(line.text(language)), MAX_LINE) for line in lines),
            reference,
            f"{base}{page}" if base else "",
            message("notices.open_console").text(language),
        )


_OUTCOMES = get_args(RowOutcome)


def _place(profile: str, *, sandbox: bool = False) -> Message:
    if not profile:
        return message("notices.every_profile")
    return message("notices.sandbox_profile" if sandbox else "notices.profile", profile=Quoted(profile, bare=True))


def _person(id: str, principal: str, store: Store, name: str = "") -> Message:
    """Return a line with a person. The id stands beside a name, which people can choose for themselves: a long name is cut, not the id.

    Args:
        name: as the record of the event states it. Without one, it is the name that the store knows.
    """
    name = name or store.audit_log.people.get(principal).label
    shown = one_line(name, max(0, min(MAX_NAME, MAX_LINE - LABEL_SPACE - len(principal))))
    return message(id, person=message("question.person", name=shown, id=principal) if shown else principal)

"""What an approver can see and do on the console, independent of HTTP."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.catalog.jobs import find_job
from saasus_mcp.catalog.tool_names import names_of
from saasus_mcp.common.language import Language
from saasus_mcp.jobs import job_control
from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord, record_action
from saasus_mcp.permissions.approval.approvals import ApprovalService, is_code
from saasus_mcp.permissions.policy.model import Decision, Policy, PolicyInput, Principal, RuleTrace, is_conditional
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import SecretVault
from saasus_mcp.settings.profiles import EVERYONE
from saasus_mcp.store.records import Approval, Freeze, UndoEntry
from saasus_mcp.store.signin_sessions import Approver

if TYPE_CHECKING:
    from saasus_mcp.server.pipeline.call_pipeline import Pipeline
    from saasus_mcp.store.job_records import Job
    from saasus_mcp.store.store import Store
    from saasus_mcp.store.tokens import Token

T = TypeVar("T", "Approval", "UndoEntry", "Job")
DAY_SECONDS = 24 * 3600
HISTORY_DAYS, CHANGES_DAYS = 7, 30
"""How long a decided or expired approval, and a change, are shown."""
COMMON_CONTEXT = "decisions"
"""The name of the context with the decisions on all SaaS together."""


@dataclass(frozen=True, slots=True)
class ProfileContext:
    """A profile on the console; or, on the console of one machine, a store with all its profiles.

    Attributes:
        name: the name of the profile or of the store.
        groups: the groups whose members may see it and decide.
        profile: the profile whose approvals and records are shown; None for every profile in the store.
        saas_id: the SaaS id; empty if only the store's records contain it.
        pipeline: makes calls in the profile; None on the console of one machine, which has no credentials.
        find_caller: returns an approver as a caller of the profile; None if they may decide, but make no calls.
    """

    name: str
    groups: frozenset[str]
    store: Callable[[], Store]
    profile: str | None = None
    saas_id: str = ""
    sandbox: bool = False
    pipeline: Pipeline | None = None
    find_caller: Callable[[Approver], Principal | None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A record of a profile, and the context in which an approver sees it."""

    context: ProfileContext
    record: T


@dataclass(frozen=True, slots=True)
class PolicyText:
    """The text of a policy file. `outdated`: the file was edited, and the policy in force is an earlier version."""

    text: str
    outdated: bool = False


@dataclass(frozen=True, kw_only=True)
class ConsoleService:
    """What the pages show and their forms do.

    Attributes:
        policy: the policy in force; on the console of one machine, that of servers with the same settings.
        profile: the profile for which decisions are shown if a context has none.
        freeze_all: freezes all stores, future ones included, or lifts that freeze with None; None if this is not possible here.
        common_store: the store of the decisions on all SaaS together; None if they are recorded in each context.
        read_tokens: reads the records of the server's tokens; None if it has none.
    """

    list_contexts: Callable[[], Sequence[ProfileContext]]
    catalogue: Catalogue
    policy: Policy
    read_policy: Callable[[], PolicyText]
    encryptor: Encryptor
    clock: Callable[[], float]
    profile: str = ""
    freeze_all: Callable[[Freeze | None], None] | None = None
    common_store: Callable[[], Store] | None = None
    read_tokens: Callable[[], Sequence[Token]] | None = None

    def contexts_of(self, approver: Approver) -> list[ProfileContext]:
        """Return the contexts that the approver may see."""
        groups = approver.groups | {EVERYONE}
        return [context for context in self.list_contexts() if approver.is_owner or context.groups & groups]

    def iterate_records(self, approver: Approver, read: Callable[[Store], Iterable[T]]) -> Iterator[Listed[T]]:
        """Yield the records that the approver may see, context by context."""
        for context in self.contexts_of(approver):
            for each in read(context.store()):
                if context.profile in (None, each.profile):
                    yield Listed(context, each)

    def find_record(self, approver: Approver, read: Callable[[Store], T | None]) -> Listed[T] | None:
        """Return the record of the first context that has one which the approver may see."""
        for context in self.contexts_of(approver):
            record = read(context.store())
            if record is not None and context.profile in (None, record.profile):
                return Listed(context, record)
        return None

    def list_approvals(self, approver: Approver, since: float | None = None) -> list[Listed[Approval]]:
        """Return the pending approvals and those of the last days that the approver may see, newest first.

        Args:
            since: omit approvals that expired before; by default those of the last days are included.
        """
        now = self.clock()
        start = now - HISTORY_DAYS * DAY_SECONDS if since is None else since
        listed = self.iterate_records(approver, lambda store: store.list_approvals(now, since=start))
        return sorted(listed, key=lambda each: each.record.requested_at, reverse=True)

    def find_approval(self, approver: Approver, code: str) -> Listed[Approval] | None:
        """Return the approval with this code, in any spelling and whatever its status."""
        return next((each for each in self.list_approvals(approver) if is_code(code, each.record)), None)

    def approve(self, approver: Approver, code: str, typed: str, comment: str = "") -> None:
        """Approve a call. The approver types the name of its target, and may add a comment, which is recorded.

        Raises:
            CallRefused: the name does not match, another person must approve, the approval is not pending, or its question
                cannot be shown.
        """
        listed = self._find_pending(approver, code)
        if stored_question.load_question(listed.record) is None:
            raise CallRefused.because(Reason.UNREADABLE, "hosting.unreadable_question")
        service = ApprovalService(listed.context.store())
        service.approve(
            listed.record, typed, approver.id, self.clock(), comment or None, via="console", person=approver.person
        )

    def reject(self, approver: Approver, code: str, reason: str) -> None:
        """Reject a call, with an optional reason. Raise CallRefused if the approval is not pending."""
        listed = self._find_pending(approver, code)
        service = ApprovalService(listed.context.store())
        service.reject(listed.record, approver.id, self.clock(), reason or None, via="console", person=approver.person)

    def reveal(self, approver: Approver, handle: str) -> str:
        """Return the secret behind a handle, once, and record that it was revealed.

        Raises:
            CallRefused: the handle is unknown, used or expired.
        """
        for context in self.contexts_of(approver):
            try:
                vault = SecretVault(context.store(), self.encryptor, self.clock)
                return vault.reveal(handle, context.profile, by=approver.id, via="console", person=approver.person)
            except CallRefused:
                continue
        raise CallRefused.because(Reason.UNKNOWN, "hosting.unknown_secret")

    def freeze(self, approver: Approver, name: str, reason: str) -> None:
        """Freeze the writes of a context; or of everything, if the name is empty and the approver may do so.

        The freeze comes before its record, so that writes are frozen even if the record fails.

        Raises:
            CallRefused: the approver has no such context.
        """
        freeze = Freeze(self.clock(), approver.id, reason)
        if not name and approver.is_owner and self.freeze_all is not None:
            self.freeze_all(freeze)
            self._record_for_all(approver, ActionKind.FREEZE, reason)
            return
        context = self.find_context(approver, name)
        context.store().freeze(replace(freeze, profile=context.profile or ""))
        self.record(context, approver, ActionKind.FREEZE, reason=reason)

    def unfreeze(self, approver: Approver, name: str, profile: str = "") -> None:
        """Lift the freeze of a context; or of everything, if the name is empty and the approver may do so.

        The record comes before the change, so that writes stay frozen if the record fails.

        Args:
            profile: the profile to unfreeze, in a context of several profiles; empty for the freeze of all of them.

        Raises:
            CallRefused: the approver has no such context.
        """
        if not name and approver.is_owner and self.freeze_all is not None:
            self._record_for_all(approver, ActionKind.UNFREEZE)
            stores = [each.store() for each in self.contexts_of(approver)]
            for store in stores:
                job_control.claim_pauses(store, self.clock())
            self.freeze_all(None)
            for store in stores:
                store.unfreeze()
            return
        context = self.find_context(approver, name)
        lifted = profile if context.profile is None else context.profile
        self.record(context, approver, ActionKind.UNFREEZE, profile=lifted)
        job_control.claim_pauses(context.store(), self.clock())
        context.store().unfreeze(lifted)

    def list_freezes(self, approver: Approver) -> dict[Freeze, ProfileContext]:
        """Return the freezes of an approver's profiles, each with the first profile that it stops."""
        found: dict[Freeze, ProfileContext] = {}
        for context in self.contexts_of(approver):
            for freeze in context.store().active_freezes(context.profile or ""):
                found.setdefault(freeze, context)
        return found

    def may_freeze_all(self, approver: Approver) -> bool:
        """Return True if the approver may freeze all stores together and lift that freeze."""
        return approver.is_owner and self.freeze_all is not None

    def audit_contexts(self, approver: Approver) -> list[ProfileContext]:
        """Return the contexts whose audit log the approver may see; for the owner of the machine also the common one."""
        contexts = self.contexts_of(approver)
        if self.common_store is None or not approver.is_owner:
            return contexts
        return [*contexts, ProfileContext(COMMON_CONTEXT, frozenset(), self.common_store)]

    def list_decisions(
        self, principal: Principal, context: ProfileContext | None
    ) -> Iterator[tuple[Operation, Decision, bool]]:
        """Yield the decision on every operation for a principal, and whether it depends on the arguments or the target."""
        profile = (context and context.profile) or self.profile
        for operation in self.catalogue:
            given = PolicyInput(operation, {}, principal, profile)
            yield operation, self.policy.decide(given), is_conditional(self.policy.explain(given))

    def explain_decision(
        self, operation: Operation, principal: Principal, context: ProfileContext | None
    ) -> tuple[Decision, bool, list[RuleTrace]]:
        """Return the decision on an operation for a principal, whether it depends on the call, and the rules that apply."""
        given = PolicyInput(operation, {}, principal, (context and context.profile) or self.profile)
        traces = list(self.policy.explain(given))
        applied = [each for each in traces if each.skipped_by is None]
        return self.policy.decide(given), is_conditional(traces), applied

    def list_changes(self, approver: Approver) -> list[Listed[UndoEntry]]:
        """Return the changes of the retention period that the approver may see, newest first."""
        since = self.clock() - CHANGES_DAYS * DAY_SECONDS
        listed = self.iterate_records(approver, lambda store: store.undo_log.list_entries(since))
        return sorted(listed, key=lambda each: each.record.at, reverse=True)

    def find_change(self, approver: Approver, call: str) -> Listed[UndoEntry] | None:
        """Return the change that a call made, if the approver may see it."""
        return self.find_record(approver, lambda store: store.undo_log.get(call))

    def list_jobs(self, approver: Approver, most: int) -> list[Listed[Job]]:
        """Return the newest jobs that the approver may see."""
        listed = [
            Listed(context, each)
            for context in self.contexts_of(approver)
            for each in context.store().jobs.list_recent(context.profile, most)
        ]
        return sorted(listed, key=lambda each: each.record.at, reverse=True)[:most]

    def find_job(self, approver: Approver, job: str) -> Listed[Job] | None:
        """Return a job that the approver may see."""
        return self.find_record(approver, lambda store: store.jobs.get(job))

    def list_tokens(self, approver: Approver) -> list[Token]:
        """Return the tokens that share a group with the approver; for the owner of the machine, all of them."""
        every = self.read_tokens() if self.read_tokens is not None else ()
        return [each for each in every if approver.is_owner or each.groups & approver.groups]

    def tool_name(self, key: str) -> str:
        """Return the name of the tool of an operation, or the key of a job or an unknown operation."""
        operation = self.find_operation(key)
        return operation.tool if operation else key

    def operation_title(self, key: str, language: Language) -> str:
        """Return the title of an operation or a job, or its key if this version does not know it."""
        known = self.find_operation(key) or find_job(key)
        return known.title.text(language) if known else key

    def operation_names(self, key: str) -> list[str]:
        """Return the names of an operation or a job, in both languages, for a search."""
        return names_of(self.catalogue, key)

    def find_operation(self, key: str) -> Operation | None:
        """Return the operation with this key; None if this version does not know it."""
        return self.catalogue.get(key)

    def _find_pending(self, approver: Approver, code: str) -> Listed[Approval]:
        listed = self.find_approval(approver, code)
        if listed is None or listed.record.status != "pending":
            raise CallRefused.because(Reason.UNKNOWN, "hosting.unknown_approval")
        return listed

    def find_context(self, approver: Approver, name: str) -> ProfileContext:
        """Return the context with this name. Raise CallRefused if the approver has no such context."""
        context = next((each for each in self.contexts_of(approver) if each.name == name), None)
        if context is None:
            raise CallRefused.because(Reason.UNKNOWN, "hosting.unknown_profile")
        return context

    def _record_for_all(self, approver: Approver, kind: ActionKind, reason: str = "") -> None:
        """Record an action on all SaaS: in the common store if there is one, else in each context."""
        common = ProfileContext(COMMON_CONTEXT, frozenset(), self.common_store) if self.common_store else None
        for context in self.contexts_of(approver) if common is None else [common]:
            self.record(context, approver, kind, reason=reason)

    def record(
        self, context: ProfileContext, approver: Approver, kind: ActionKind, *, profile: str = "", **details: str
    ) -> None:
        """Record an action in the audit log of a context.

        Args:
            profile: the profile that it concerns, in a context of several.
            details: further fields of `ActionRecord`.
        """
        target = {"profile": profile or context.profile or "", "saas_id": context.saas_id, **details}
        record_action(
            context.store(), ActionRecord(kind, approver.id, "console", person=approver.person, **target), self.clock()
        )


def freezes_version(freezes: Iterable[Freeze]) -> str:
    """Return a digest of freezes in their order."""
    stated = [(each.profile, each.at, each.by) for each in freezes]
    return hashlib.sha256(json.dumps(stated).encode()).hexdigest()[:16]


def freeze_mark(freezes: Iterable[Freeze]) -> str:
    """Return a text that differs whenever freezes do: the form to lift them carries it."""
    return " ".join(sorted({repr(each.at) for each in freezes}))

"""`job_import_users`: accounts, memberships and roles from the list that the export gives; what is there already stays."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from saasus_mcp.catalog.model import Text
from saasus_mcp.jobs.import_question import ORDINARY, Asked, Planned
from saasus_mcp.jobs.kind import Outcome
from saasus_mcp.jobs.plan import Entry, Find, Plan, Row
from saasus_mcp.jobs.present import Present, present
from saasus_mcp.jobs.there import Called, There
from saasus_mcp.jobs.users import NO_TENANT, Line, Mistake, lines, mistaken
from saasus_mcp.jobs.work import Done, Reader, Work
from saasus_mcp.saasus.places import InvalidArguments
from saasus_mcp.server.results import URI

ACCOUNT, MEMBER = "account", "member"
UNDO = Text(
    "Each account, membership and role can be undone; e-mails that were sent cannot.",
    "アカウント・所属・ロールはそれぞれ元に戻せます。送信したメールは取り消せません。",
)


class Steps:
    """What one person still lacks, as the steps of one row."""

    def __init__(self, name: str, first: Line, present: Present) -> None:
        self.entries: dict[str, Entry] = {}
        self.row = first.login
        self._name = name
        self._login = {first.by: first.login}
        self._account = present.accounts.get(first.person)
        self._present = present
        self._tenants: dict[str, str] = {}

    def take(self, line: Line) -> list[str]:
        """The steps that a line needs: none where all of it is there."""
        if not line.tenant:
            return []  # the account is there, which is all that such a line says
        tenant = self._tenants.setdefault(line.tenant, f"{self._name}/{len(self._tenants) + 1}")
        held = self._present.grants.get((self._account or "", line.tenant))
        needed = [] if self._account else [self._create()]
        if held is None:
            needed.append(self._join(f"{tenant}/{MEMBER}", line))
        if line.env is not None and (line.env, line.role) not in (held or ()):
            needed.append(self._grant(f"{tenant}/{line.env}", line, line.env))
        return needed

    def kept(self, line: Line) -> list[str]:
        """The attributes of a member that stay other than they are listed."""
        present = self._present.attributes.get((self._account or "", line.tenant))
        if present is None:
            return []
        return [name for name, value in line.attributes.items() if present.get(name) != value]

    def _create(self) -> str:
        step = f"{self._name}/{ACCOUNT}"
        find = Find("auth.SearchSaasUsers", {**self._login, "limit": 100}, "users", self._login)
        self.entries.setdefault(step, Entry(step, "auth.CreateSaasUser", self._login, find=find))
        return step

    def _join(self, step: str, line: Line) -> str:
        args = {"tenant_id": line.tenant, **self._login, "attributes": dict(line.attributes)}
        self.entries.setdefault(step, Entry(step, "auth.CreateTenantUser", args))
        return step

    def _grant(self, step: str, line: Line, env: int) -> str:
        known = self.entries[step].args["role_names"] if step in self.entries else []
        args = {"tenant_id": line.tenant, "env_id": env, "role_names": [*known, line.role]}
        if self._account:
            entry = Entry(step, "auth.CreateTenantUserRoles", {**args, "user_id": self._account})
        else:
            later = {"user_id": (f"{self._name}/{ACCOUNT}", "id")}
            entry = Entry(step, "auth.CreateTenantUserRoles", args, later)
        self.entries[step] = entry
        return step


async def plan(reader: Reader, args: Mapping[str, Any]) -> Plan:
    """Hold every line to what is there, and find what each still lacks."""
    argument, given = await _given(reader, args)
    there = await _there(reader)
    listed, mistakes = await reader.aside(lambda: lines(given, there, argument))
    skips = args.get("on_mistake") == "skip"
    if mistakes and not skips and all(line.tenant for line in listed):
        raise mistaken(mistakes, argument)
    found = await present(reader, listed)
    unknown = [line for line in listed if not line.tenant and line.person not in found.accounts]
    mistakes += [Mistake(line.number, (NO_TENANT,)) for line in unknown]
    if mistakes and not skips:
        raise mistaken(sorted(mistakes, key=lambda each: each.number), argument)
    sound = [line for line in listed if line not in unknown]
    stop = args.get("on_error") == "stop"
    return await reader.aside(lambda: _planned(sound, mistakes, found, there, stop=stop))


def _planned(listed: Sequence[Line], mistakes: Sequence[Mistake], found: Present, there: There, *, stop: bool) -> Plan:
    """The plan for these lines."""
    people: dict[str, list[Line]] = defaultdict(list)
    for line in listed:
        people[line.person].append(line)
    rows: list[Row] = []
    told = [_wrong(each) for each in mistakes]
    changing: list[Planned] = []
    for number, own in enumerate(people.values(), 1):
        steps = Steps(f"u{number}", own[0], found)
        for line in own:
            needed = steps.take(line)
            told.append(_told(line, steps.row, needed, steps.kept(line)))
            changing += [_does(line, needed)] if needed else []
        if steps.entries:
            rows.append(Row(steps.row, tuple(steps.entries.values())))
    told.sort(key=lambda line: int(line["line"]))
    skipped = len(listed) - len(changing)
    kept = len({line["login"] for line in told if line.get("attributes_kept")})
    asked = Asked(changing, there, found, skipped=skipped, kept=kept, left_out=len(mistakes))
    data = {"lines": told, "stop": stop}
    if not changing:
        return Plan(data=data)
    return Plan(
        tuple(rows),
        data,
        headline=asked.headline,
        facts=tuple(asked.facts()),
        reach=tuple(asked.reach()),
        warnings=tuple(asked.warnings()),
        undo=UNDO,
        details=tuple(asked.details()),
        typed=asked.typed,
        ordinary=ORDINARY,
    )


async def run(work: Work, plan: Plan) -> Outcome:
    """Row after row; then what became of every line."""
    done: dict[str, Done] = {}
    async for batch in work.rows(plan.rows, stop_at_failure=plan.data["stop"]):
        done.update({each.row: each for each in batch})
    rows = [_became(line, done.get(line["row"])) for line in plan.data["lines"]]
    secrets, lost = _passwords(done)
    notes = (
        (f"Made, but their passwords were lost when the server stopped; reset them: {', '.join(lost)}.",)
        if lost
        else ()
    )
    return Outcome(Counter(row["outcome"] for row in rows), rows, secrets=secrets, notes=notes)


async def _given(reader: Reader, args: Mapping[str, Any]) -> tuple[str, Any]:
    """The list, and the argument that it came by."""
    if ("csv" in args) == ("result" in args):
        raise InvalidArguments(("csv",), "exactly one of csv and result must be given.", "Leave the other one out.")
    if "csv" in args:
        return "csv", args["csv"]
    kept = await reader.kept(args["result"])
    if kept is None:
        raise InvalidArguments(("result",), "there is no such result.", f"Results ({URI}…) last 24 hours.")
    return "result", kept


async def _there(reader: Reader) -> There:
    tenants = await reader.read("auth.GetTenants", take=lambda answer: _pairs(answer, "tenants", "id", "name"))
    listed = await reader.read("auth.GetEnvs", take=lambda answer: answer.get("envs", []))
    envs = {env["id"]: Called(env.get("name") or "", env.get("display_name") or "") for env in listed}
    roles = await reader.read("auth.GetRoles", take=lambda answer: _pairs(answer, "roles", "role_name", "display_name"))
    attributes = await reader.read(
        "auth.GetUserAttributes",
        take=lambda answer: _pairs(answer, "user_attributes", "attribute_name", "attribute_type"),
    )
    return There(tenants, envs, roles, attributes)


def _pairs(answer: Mapping[str, Any], items: str, key: str, value: str) -> dict[Any, str]:
    return {each[key]: each.get(value) or "" for each in answer.get(items, [])}


def _told(line: Line, row: str, steps: list[str], kept: list[str]) -> dict[str, Any]:
    """A line as it is told, with the steps that it needs."""
    shown = {"line": line.number, "login": line.login, "tenant_id": line.tenant}
    grant = {"env_id": line.env, "role_name": line.role} if line.env is not None else {}
    note = {"attributes_kept": kept} if kept else {}
    return {**shown, **grant, **note, "row": row, "steps": steps}


def _wrong(mistake: Mistake) -> dict[str, Any]:
    return {"line": mistake.number, "wrong": mistake.why, "row": "", "steps": []}


def _does(line: Line, steps: Sequence[str]) -> Planned:
    ends = {step.rsplit("/", 1)[-1] for step in steps}
    return Planned(line, ACCOUNT in ends, MEMBER in ends, bool(ends - {ACCOUNT, MEMBER}))


def _became(line: Mapping[str, Any], done: Done | None) -> dict[str, Any]:
    """What became of a line: what the last of its steps came to, and what was made before."""
    told = {name: value for name, value in line.items() if name not in ("row", "steps", "wrong")}
    steps: list[str] = line["steps"]
    if "wrong" in line:
        return {**told, "outcome": "left_out", "why": line["wrong"]}
    if not steps:
        return {**told, "outcome": "skipped", "why": "it is there already"}
    if done is None:
        return {**told, "outcome": "not_begun"}
    answers = done.answers or {}
    made = [step for step in steps if step in answers]
    if len(made) == len(steps):
        return {**told, "outcome": "applied"}
    partly = {"made": [step.split("/")[-1] for step in made]} if made else {}
    if done.at in steps:
        return {**told, "outcome": done.outcome, **partly, "why": done.said}
    return {**told, "outcome": "not_begun", **partly, "why": "an earlier step for this user did not succeed"}


def _passwords(done: Mapping[str, Done]) -> tuple[dict[str, str], list[str]]:
    """The handles of the passwords that were generated, by login; and for whom one was and is lost."""
    made: dict[str, str] = {}
    lost: list[str] = []
    for row, each in done.items():
        for step, answer in (each.answers or {}).items():
            if step.endswith(ACCOUNT) and "@" not in row:
                handle = (answer or {}).get("password")
                made.update({row: handle} if handle else {})
                lost.extend([] if handle else [row])
    return made, lost

"""`job_import_users`: accounts, memberships and roles from the list that the export gives; what is there already stays."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.language import Text
from saasus_mcp.jobs.job_context import GroupResult, JobContext, JobReader
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.name_index import DisplayName, ImportTargets
from saasus_mcp.jobs.plan import AnswerLookup, Plan, PlanStep, StepGroup
from saasus_mcp.jobs.users.existing_users import ExistingUsers, find_existing_users
from saasus_mcp.jobs.users.import_question import ORDINARY_FACTS, ImportQuestion, PlannedLine
from saasus_mcp.jobs.users.user_list import TENANT_MISSING, LineErrors, UserLine, invalid_list, parse_users
from saasus_mcp.server.results.result_store import RESULTS_URI

ACCOUNT_STEP, MEMBER_STEP = "account", "member"
UNDO = Text(
    "Each account, membership and role can be undone; e-mails that were sent cannot.",
    "アカウント・所属・ロールはそれぞれ元に戻せます。送信したメールは取り消せません。",
)


class UserSteps:
    """What one person still lacks, as the steps of one row."""

    def __init__(self, name: str, first: UserLine, present: ExistingUsers) -> None:
        self.steps: dict[str, PlanStep] = {}
        self.login = first.login
        self._name = name
        self._login = {first.login_type: first.login}
        self._account = present.accounts.get(first.login_key)
        self._present = present
        self._tenants: dict[str, str] = {}

    def add_line(self, line: UserLine) -> list[str]:
        """The steps that a line needs: none where all of it is there."""
        if not line.tenant_id:
            return []  # the account is there, which is all that such a line says
        tenant = self._tenants.setdefault(line.tenant_id, f"{self._name}/{len(self._tenants) + 1}")
        held = self._present.grants.get((self._account or "", line.tenant_id))
        needed = [] if self._account else [self._create()]
        if held is None:
            needed.append(self._join(f"{tenant}/{MEMBER_STEP}", line))
        if line.env_id is not None and (line.env_id, line.role_name) not in (held or ()):
            needed.append(self._grant(f"{tenant}/{line.env_id}", line, line.env_id))
        return needed

    def kept_attributes(self, line: UserLine) -> list[str]:
        """The attributes of a member that stay other than they are listed."""
        present = self._present.attributes.get((self._account or "", line.tenant_id))
        if present is None:
            return []
        return [name for name, value in line.attributes.items() if present.get(name) != value]

    def _create(self) -> str:
        step = f"{self._name}/{ACCOUNT_STEP}"
        find = AnswerLookup("auth.SearchSaasUsers", {**self._login, "limit": 100}, "users", self._login)
        self.steps.setdefault(step, PlanStep(step, "auth.CreateSaasUser", self._login, lookup=find))
        return step

    def _join(self, step: str, line: UserLine) -> str:
        args = {"tenant_id": line.tenant_id, **self._login, "attributes": dict(line.attributes)}
        self.steps.setdefault(step, PlanStep(step, "auth.CreateTenantUser", args))
        return step

    def _grant(self, step: str, line: UserLine, env: int) -> str:
        known = self.steps[step].args["role_names"] if step in self.steps else []
        args = {"tenant_id": line.tenant_id, "env_id": env, "role_names": [*known, line.role_name]}
        if self._account:
            entry = PlanStep(step, "auth.CreateTenantUserRoles", {**args, "user_id": self._account})
        else:
            later = {"user_id": (f"{self._name}/{ACCOUNT_STEP}", "id")}
            entry = PlanStep(step, "auth.CreateTenantUserRoles", args, later)
        self.steps[step] = entry
        return step


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Hold every line to what is there, and find what each still lacks."""
    argument, given = await _given(reader, args)
    there = await _there(reader)
    listed, mistakes = await reader.run_in_thread(lambda: parse_users(given, there, argument))
    skips = args.get("on_mistake") == "skip"
    if mistakes and not skips and all(line.tenant_id for line in listed):
        raise invalid_list(mistakes, argument)
    found = await find_existing_users(reader, listed)
    unknown = [line for line in listed if not line.tenant_id and line.login_key not in found.accounts]
    mistakes += [LineErrors(line.number, (TENANT_MISSING,)) for line in unknown]
    if mistakes and not skips:
        raise invalid_list(sorted(mistakes, key=lambda each: each.number), argument)
    sound = [line for line in listed if line not in unknown]
    stop = args.get("on_error") == "stop"
    return await reader.run_in_thread(lambda: _planned(sound, mistakes, found, there, stop=stop))


def _planned(
    listed: Sequence[UserLine],
    mistakes: Sequence[LineErrors],
    found: ExistingUsers,
    there: ImportTargets,
    *,
    stop: bool,
) -> Plan:
    """The plan for these lines."""
    people: dict[str, list[UserLine]] = defaultdict(list)
    for line in listed:
        people[line.login_key].append(line)
    rows: list[StepGroup] = []
    told = [_wrong(each) for each in mistakes]
    changing: list[PlannedLine] = []
    for number, own in enumerate(people.values(), 1):
        steps = UserSteps(f"u{number}", own[0], found)
        for line in own:
            needed = steps.add_line(line)
            told.append(_told(line, steps.login, needed, steps.kept_attributes(line)))
            changing += [_does(line, needed)] if needed else []
        if steps.steps:
            rows.append(StepGroup(steps.login, tuple(steps.steps.values())))
    told.sort(key=lambda line: int(line["line"]))
    skipped = len(listed) - len(changing)
    kept = len({line["login"] for line in told if line.get("attributes_kept")})
    asked = ImportQuestion(changing, there, found, skipped=skipped, kept=kept, left_out=len(mistakes))
    data = {"lines": told, "stop": stop}
    if not changing:
        return Plan(data=data)
    return Plan(
        tuple(rows),
        data,
        headline=asked.headline,
        facts=tuple(asked.facts()),
        impact=tuple(asked.impact()),
        warnings=tuple(asked.warnings()),
        undo=UNDO,
        details=tuple(asked.details()),
        typed=asked.typed,
        ordinary_facts=ORDINARY_FACTS,
    )


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Row after row; then what became of every line."""
    done: dict[str, GroupResult] = {}
    async for batch in work.run_groups(plan.groups, stop_at_failure=plan.data["stop"]):
        done.update({each.group: each for each in batch})
    rows = [_became(line, done.get(line["row"])) for line in plan.data["lines"]]
    secrets, lost = _passwords(done)
    notes = (
        (f"Made, but their passwords were lost when the server stopped; reset them: {', '.join(lost)}.",)
        if lost
        else ()
    )
    return JobResult(Counter(row["outcome"] for row in rows), rows, secrets=secrets, notes=notes)


async def _given(reader: JobReader, args: Mapping[str, Any]) -> tuple[str, Any]:
    """The list, and the argument that it came by."""
    if ("csv" in args) == ("result" in args):
        raise InvalidArguments(("csv",), "exactly one of csv and result must be given.", "Leave the other one out.")
    if "csv" in args:
        return "csv", args["csv"]
    kept = await reader.load_result(args["result"])
    if kept is None:
        raise InvalidArguments(("result",), "there is no such result.", f"Results ({RESULTS_URI}…) last 24 hours.")
    return "result", kept


async def _there(reader: JobReader) -> ImportTargets:
    tenants = await reader.read("auth.GetTenants", take=lambda answer: _pairs(answer, "tenants", "id", "name"))
    listed = await reader.read("auth.GetEnvs", take=lambda answer: answer.get("envs", []))
    envs = {env["id"]: DisplayName(env.get("name") or "", env.get("display_name") or "") for env in listed}
    roles = await reader.read("auth.GetRoles", take=lambda answer: _pairs(answer, "roles", "role_name", "display_name"))
    attributes = await reader.read(
        "auth.GetUserAttributes",
        take=lambda answer: _pairs(answer, "user_attributes", "attribute_name", "attribute_type"),
    )
    return ImportTargets(tenants, envs, roles, attributes)


def _pairs(answer: Mapping[str, Any], items: str, key: str, value: str) -> dict[Any, str]:
    return {each[key]: each.get(value) or "" for each in answer.get(items, [])}


def _told(line: UserLine, row: str, steps: list[str], kept: list[str]) -> dict[str, Any]:
    """A line as it is told, with the steps that it needs."""
    shown = {"line": line.number, "login": line.login, "tenant_id": line.tenant_id}
    grant = {"env_id": line.env_id, "role_name": line.role_name} if line.env_id is not None else {}
    note = {"attributes_kept": kept} if kept else {}
    return {**shown, **grant, **note, "row": row, "steps": steps}


def _wrong(mistake: LineErrors) -> dict[str, Any]:
    return {"line": mistake.number, "wrong": mistake.summary, "row": "", "steps": []}


def _does(line: UserLine, steps: Sequence[str]) -> PlannedLine:
    ends = {step.rsplit("/", 1)[-1] for step in steps}
    return PlannedLine(line, ACCOUNT_STEP in ends, MEMBER_STEP in ends, bool(ends - {ACCOUNT_STEP, MEMBER_STEP}))


def _became(line: Mapping[str, Any], done: GroupResult | None) -> dict[str, Any]:
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
    if done.failed_step in steps:
        return {**told, "outcome": done.outcome, **partly, "why": done.text}
    return {**told, "outcome": "not_begun", **partly, "why": "an earlier step for this user did not succeed"}


def _passwords(done: Mapping[str, GroupResult]) -> tuple[dict[str, str], list[str]]:
    """The handles of the passwords that were generated, by login; and for whom one was and is lost."""
    made: dict[str, str] = {}
    lost: list[str] = []
    for row, each in done.items():
        for step, answer in (each.answers or {}).items():
            if step.endswith(ACCOUNT_STEP) and "@" not in row:
                handle = (answer or {}).get("password")
                made.update({row: handle} if handle else {})
                lost.extend([] if handle else [row])
    return made, lost

"""`job_import_users`: create accounts, memberships and roles from the list that the export gives. Existing ones stay."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.jobs.job_context import GroupResult, JobContext
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.plan import AnswerLookup, Plan, PlanStep, StepGroup
from saasus_mcp.jobs.tables.table_reading import reading_data, reading_facts, reading_notes
from saasus_mcp.jobs.users.existing_users import ExistingUsers, find_existing_users
from saasus_mcp.jobs.users.import_question import ImportQuestion, PlannedLine
from saasus_mcp.jobs.users.user_line import DisplayName, ImportTargets, LineErrors, UserLine, tenant_missing
from saasus_mcp.jobs.users.user_list import HEADINGS, invalid_list, parse_users

ACCOUNT_STEP, MEMBER_STEP = "account", "member"


class UserSteps:
    """The steps that one user needs, as one group.

    Args:
        name: the prefix of the names of the steps.
        first: the user's first line.
    """

    def __init__(self, name: str, first: UserLine, existing: ExistingUsers) -> None:
        self.steps: dict[str, PlanStep] = {}
        self.login = first.login
        self._name = name
        self._credentials = {first.login_type: first.login}
        self._account = existing.accounts.get(first.login_key)
        self._existing = existing
        self._tenants: dict[str, str] = {}

    def add_line(self, line: UserLine) -> list[str]:
        """Add the steps that a line needs, and return their names."""
        if not line.tenant_id:
            return []  # the line only names an account, which exists
        prefix = self._tenants.setdefault(line.tenant_id, f"{self._name}/{len(self._tenants) + 1}")
        grants = self._existing.grants.get((self._account or "", line.tenant_id))
        needed = [] if self._account else [self._create_account()]
        if grants is None:
            needed.append(self._join_tenant(f"{prefix}/{MEMBER_STEP}", line))
        if line.env_id is not None and (line.env_id, line.role_name) not in (grants or ()):
            needed.append(self._grant_role(f"{prefix}/{line.env_id}", line, line.env_id))
        return needed

    def kept_attributes(self, line: UserLine) -> list[str]:
        """Return the attributes of a member that differ from the line and are not changed."""
        attributes = self._existing.attributes.get((self._account or "", line.tenant_id))
        if attributes is None:
            return []
        return [name for name, value in line.attributes.items() if attributes.get(name) != value]

    def _create_account(self) -> str:
        step = f"{self._name}/{ACCOUNT_STEP}"
        lookup = AnswerLookup("auth.SearchSaasUsers", {**self._credentials, "limit": 100}, "users", self._credentials)
        self.steps.setdefault(step, PlanStep(step, "auth.CreateSaasUser", self._credentials, lookup=lookup))
        return step

    def _join_tenant(self, step: str, line: UserLine) -> str:
        args = {"tenant_id": line.tenant_id, **self._credentials, "attributes": dict(line.attributes)}
        self.steps.setdefault(step, PlanStep(step, "auth.CreateTenantUser", args))
        return step

    def _grant_role(self, step: str, line: UserLine, env: int) -> str:
        roles = self.steps[step].args["role_names"] if step in self.steps else []
        args = {"tenant_id": line.tenant_id, "env_id": env, "role_names": [*roles, line.role_name]}
        if self._account:
            self.steps[step] = PlanStep(step, "auth.CreateTenantUserRoles", {**args, "user_id": self._account})
        else:
            from_steps = {"user_id": (f"{self._name}/{ACCOUNT_STEP}", "id")}
            self.steps[step] = PlanStep(step, "auth.CreateTenantUserRoles", args, from_steps)
        return step


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Compare each line with the existing users, and plan the missing steps."""
    argument, content = await reader.load_input(args, "csv", "result")
    targets = await _read_targets(reader)
    lines, faulty, reading = await reader.run_in_thread(
        lambda: parse_users(content, targets, argument, reader.encoding)
    )
    skips = args.get("on_mistake") == "skip"
    if faulty and not skips and all(line.tenant_id for line in lines):
        raise invalid_list(faulty, argument)
    existing = await find_existing_users(reader, lines)
    unknown = [line for line in lines if not line.tenant_id and line.login_key not in existing.accounts]
    faulty += [LineErrors(line.number, (tenant_missing().with_field(HEADINGS.shown),)) for line in unknown]
    if faulty and not skips:
        raise invalid_list(sorted(faulty, key=lambda each: each.number), argument)
    sound = [line for line in lines if line not in unknown]
    rows = [{"line": each.number, "wrong": each.text(reader.language), "row": "", "steps": []} for each in faulty]
    stop = args.get("on_error") == "stop"
    data = {"stop": stop, **reading_data(reading)}
    plan = await reader.run_in_thread(lambda: _build_plan(sound, rows, existing, targets, data))
    return replace(plan, facts=(*plan.facts, *reading_facts(reading))) if plan.groups else plan


def _build_plan(
    lines: Sequence[UserLine],
    faulty: Sequence[dict[str, Any]],
    existing: ExistingUsers,
    targets: ImportTargets,
    data: Mapping[str, Any],
) -> Plan:
    by_user: dict[str, list[UserLine]] = defaultdict(list)
    for line in lines:
        by_user[line.login_key].append(line)
    groups: list[StepGroup] = []
    rows = [*faulty]
    changing: list[PlannedLine] = []
    for number, own in enumerate(by_user.values(), 1):
        user = UserSteps(f"u{number}", own[0], existing)
        for line in own:
            needed = user.add_line(line)
            rows.append(_row(line, user.login, needed, user.kept_attributes(line)))
            if needed:
                ends = {step.rsplit("/", 1)[-1] for step in needed}
                grants = bool(ends - {ACCOUNT_STEP, MEMBER_STEP})
                changing.append(PlannedLine(line, ACCOUNT_STEP in ends, MEMBER_STEP in ends, grants))
        if user.steps:
            groups.append(StepGroup(user.login, tuple(user.steps.values())))
    rows.sort(key=lambda row: int(row["line"]))
    data = {**data, "lines": rows}
    if not changing:
        return Plan(data=data)
    question = ImportQuestion(
        changing,
        targets,
        existing,
        skipped=len(lines) - len(changing),
        kept=len({row["login"] for row in rows if row.get("attributes_kept")}),
        left_out=len(faulty),
    )
    return Plan(
        tuple(groups),
        data,
        headline=question.headline,
        facts=tuple(question.facts()),
        impact=tuple(question.impact()),
        warnings=tuple(question.warnings()),
        undo=question.undo,
        details=tuple(question.details()),
        typed=question.typed,
        ordinary_facts=question.ordinary_facts,
    )


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Run the steps user by user, and report the outcome of each line."""
    results = await work.run_phases(plan.groups, [len(plan.groups)], {}, stop_at_failure=plan.data["stop"])
    rows = [_finished_row(line, results.get(line["row"]), work.language) for line in plan.data["lines"]]
    secrets, lost = _passwords(results)
    notes = [message("jobs_users.passwords_lost", logins=tuple(lost))] if lost else []
    if any(row.get("attributes_kept") for row in rows):
        notes.append(message("jobs_users.attributes_kept"))
    notes += reading_notes(plan.data)
    return JobResult(Counter(row["outcome"] for row in rows), rows, secrets=secrets, notes=tuple(notes))


async def _read_targets(reader: JobReader) -> ImportTargets:
    tenants = await reader.read("auth.GetTenants", take=lambda answer: _pairs(answer, "tenants", "id", "name"))
    envs = await reader.read("auth.GetEnvs", take=lambda answer: answer.get("envs", []))
    roles = await reader.read("auth.GetRoles", take=lambda answer: _pairs(answer, "roles", "role_name", "display_name"))
    types, titles = await reader.read(
        "auth.GetUserAttributes",
        take=lambda answer: [
            _pairs(answer, "user_attributes", "attribute_name", each) for each in ("attribute_type", "display_name")
        ],
    )
    names = {env["id"]: DisplayName(env.get("name") or "", env.get("display_name") or "") for env in envs}
    return ImportTargets(tenants, names, roles, types, titles)


def _pairs(answer: Mapping[str, Any], items: str, key: str, value: str) -> dict[Any, str]:
    return {each[key]: each.get(value) or "" for each in answer.get(items, [])}


def _row(line: UserLine, group: str, steps: list[str], kept: list[str]) -> dict[str, Any]:
    """Return the row of a line in the report, with the steps that it needs."""
    row = {"line": line.number, "login": line.login, "tenant_id": line.tenant_id}
    grant = {"env_id": line.env_id, "role_name": line.role_name} if line.env_id is not None else {}
    note = {"attributes_kept": kept} if kept else {}
    return {**row, **grant, **note, "row": group, "steps": steps}


def _finished_row(line: Mapping[str, Any], result: GroupResult | None, language: Language) -> dict[str, Any]:
    """Return the row of a line with the outcome of its steps."""
    row = {name: value for name, value in line.items() if name not in ("row", "steps", "wrong")}
    steps: list[str] = line["steps"]
    if "wrong" in line:
        return {**row, "outcome": "left_out", "why": line["wrong"]}
    if not steps:
        return {**row, "outcome": "skipped", "why": message("jobs_users.present").text(language)}
    if result is None:
        return {**row, "outcome": "not_begun"}
    answers = result.answers or {}
    done = [step for step in steps if step in answers]
    if len(done) == len(steps):
        return {**row, "outcome": "applied"}
    partly = {"made": [step.split("/")[-1] for step in done]} if done else {}
    if result.failed_step in steps:
        return {**row, "outcome": result.outcome, **partly, "why": result.text}
    reason = message("jobs_users.earlier_step_failed").text(language)
    return {**row, "outcome": "not_begun", **partly, "why": reason}


def _passwords(results: Mapping[str, GroupResult]) -> tuple[dict[str, str], list[str]]:
    """Return the handles of generated passwords by login, and the logins whose password was lost in a crash."""
    handles: dict[str, str] = {}
    lost: list[str] = []
    for login, result in results.items():
        for step, answer in (result.answers or {}).items():
            if step.endswith(ACCOUNT_STEP) and "@" not in login:
                handle = (answer or {}).get("password")
                if handle:
                    handles[login] = handle
                else:
                    lost.append(login)
    return handles, lost

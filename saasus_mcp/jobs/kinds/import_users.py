"""`job_import_users`: accounts, memberships and roles from the list that the export gives; what is there already stays."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from saasus_mcp.catalog.model import Text
from saasus_mcp.jobs.kind import Outcome
from saasus_mcp.jobs.plan import Entry, Find, Plan, Row
from saasus_mcp.jobs.users import Line, There, lines, person
from saasus_mcp.jobs.work import Done, Reader, Work, together
from saasus_mcp.saasus.places import InvalidArguments
from saasus_mcp.saasus.words import quoted
from saasus_mcp.server.results import URI

ONE_BY_ONE = 50
"""People whom we look up one by one; of more, the whole lists are read, a hundred at once."""
MOST_SHOWN = 10
ACCOUNT, MEMBER = "account", "member"


@dataclass(slots=True)
class Present:
    """Who is there.

    Attributes:
        accounts: ids, by person (users.person).
        grants: environments and roles that are held, by account and tenant; a member without any has none.
    """

    accounts: dict[str, str] = field(default_factory=dict)
    grants: dict[tuple[str, str], frozenset[tuple[int, str]]] = field(default_factory=dict)

    def take_accounts(self, answer: Mapping[str, Any]) -> None:
        """Remember a page of accounts."""
        for user in answer.get("users", []):
            for by in ("email", "sign_in_id"):
                if user.get(by):
                    self.accounts[person(by, user[by])] = user["id"]

    def take_members(self, answer: Mapping[str, Any]) -> None:
        """Remember a page of tenant users."""
        for user in answer.get("users", []):
            envs = user.get("envs") or ()
            held = frozenset((env["id"], role["role_name"]) for env in envs for role in env.get("roles") or ())
            self.grants[user["id"], user["tenant_id"]] = held


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
        tenant = self._tenants.setdefault(line.tenant, f"{self._name}/{len(self._tenants) + 1}")
        held = self._present.grants.get((self._account or "", line.tenant))
        needed = [] if self._account else [self._create()]
        if held is None:
            needed.append(self._join(f"{tenant}/{MEMBER}", line))
        if line.env is not None and (line.env, line.role) not in (held or ()):
            needed.append(self._grant(f"{tenant}/{line.env}", line, line.env))
        return needed

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
    listed = await reader.aside(lambda: lines(given, there, argument))
    present = await _present(reader, listed)
    stop = args.get("on_error") == "stop"
    return await reader.aside(lambda: _planned(listed, present, there, stop=stop))


def _planned(listed: Sequence[Line], present: Present, there: There, *, stop: bool) -> Plan:
    """The plan for these lines."""
    people: dict[str, list[Line]] = defaultdict(list)
    for line in listed:
        people[line.person].append(line)
    rows: list[Row] = []
    told: list[dict[str, Any]] = []
    for number, own in enumerate(people.values(), 1):
        steps = Steps(f"u{number}", own[0], present)
        told += [_told(line, steps.row, steps.take(line)) for line in own]
        if steps.entries:
            rows.append(Row(steps.row, tuple(steps.entries.values())))
    told.sort(key=lambda line: int(line["line"]))
    data = {"lines": told, "stop": stop}
    return Plan(tuple(rows), data, _counts(rows, told), tuple(_preview(rows, told, there)))


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
    envs = await reader.read("auth.GetEnvs", take=lambda answer: _pairs(answer, "envs", "id", "name"))
    roles = await reader.read("auth.GetRoles", take=lambda answer: _pairs(answer, "roles", "role_name", "display_name"))
    attributes = await reader.read(
        "auth.GetUserAttributes",
        take=lambda answer: _pairs(answer, "user_attributes", "attribute_name", "attribute_type"),
    )
    return There(tenants, frozenset(envs), frozenset(roles), attributes)


def _pairs(answer: Mapping[str, Any], items: str, key: str, value: str) -> dict[Any, str]:
    return {each[key]: each.get(value) or "" for each in answer.get(items, [])}


async def _present(reader: Reader, listed: Sequence[Line]) -> Present:
    """Those of the list who are there, or simply everybody."""
    present, people = Present(), {line.person: {line.by: line.login} for line in listed}

    async def look(query: Mapping[str, Any]) -> None:
        async for _ in reader.pages("auth.SearchSaasUsers", query, present.take_accounts):
            pass
        async for _ in reader.pages("auth.SearchTenantUsers", query, present.take_members):
            pass

    await together([partial(look, query) for query in (people.values() if len(people) <= ONE_BY_ONE else [{}])])
    return present


def _told(line: Line, row: str, steps: list[str]) -> dict[str, Any]:
    """A line as it is told, with the steps that it needs."""
    shown = {"line": line.number, "login": line.login, "tenant_id": line.tenant}
    grant = {"env_id": line.env, "role_name": line.role} if line.env is not None else {}
    return {**shown, **grant, "row": row, "steps": steps}


def _counts(rows: Sequence[Row], told: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    entries = [entry for row in rows for entry in row.entries]
    accounts = [entry for entry in entries if entry.step.endswith(ACCOUNT)]
    by_mail = sum("email" in entry.args for entry in accounts)
    return {
        "lines": len(told),
        "accounts": len(accounts),
        "mails": by_mail,
        "passwords": len(accounts) - by_mail,
        "members": sum(entry.step.endswith(MEMBER) for entry in entries),
        "roles": sum(len(entry.args.get("role_names", ())) for entry in entries),
        "skipped": sum(not line["steps"] for line in told),
    }


def _preview(rows: Sequence[Row], told: Sequence[Mapping[str, Any]], there: There) -> Iterator[Text]:
    """By tenant, how many lines change something; then who comes first."""
    changing = Counter(line["tenant_id"] for line in told if line["steps"])
    for tenant, count in changing.most_common(MOST_SHOWN):
        name = there.tenants[tenant]
        yield Text(f"  {quoted(name)}: {count} lines", f"  {quoted(name, 'ja')}: {count}行")
    if len(changing) > MOST_SHOWN:
        rest = len(changing) - MOST_SHOWN
        yield Text(f"  … and {rest} more tenants", f"  ほか{rest}テナント")
    if rows:
        shown = ", ".join(quoted(row.name) for row in rows[:MOST_SHOWN])
        more = len(rows) - MOST_SHOWN
        yield Text(
            f"Users: {shown}" + (f" … and {more} more" if more > 0 else ""),
            f"ユーザー: {shown}" + (f" ほか{more}人" if more > 0 else ""),
        )
    if any(not line["steps"] for line in told):
        yield Text(
            "Skipped lines are there already, and attributes of members who are there stay as they are.",
            "すでに登録済みの行はスキップします。既存メンバーの属性は変更しません。",
        )


def _became(line: Mapping[str, Any], done: Done | None) -> dict[str, Any]:
    """What became of a line: what the last of its steps came to, and what was made before."""
    told = {name: value for name, value in line.items() if name not in ("row", "steps")}
    steps: list[str] = line["steps"]
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

"""The question of an import: the roles and how many users get them, users with more than the ordinary role, and consequences."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import Localized, message
from saasus_mcp.jobs.job_question import counted, in_brackets, name_text, people_count, value_list
from saasus_mcp.jobs.users.attribute_facts import AttributeFacts
from saasus_mcp.jobs.users.existing_users import ExistingUsers, email_domain
from saasus_mcp.jobs.users.user_line import ImportTargets, UserLine
from saasus_mcp.permissions.question.content import (
    PEOPLE,
    Detail,
    Fact,
    FixedText,
    LabelledValue,
    NamedItem,
    QuestionWarning,
    Value,
)
from saasus_mcp.permissions.question.formatting import MAX_LIST_ITEMS
from saasus_mcp.permissions.question.values import is_privileged_name

MAX_IMPORT_ITEMS = 500
"""Items of a list that are stored with the question. Of a longer list, the question has the total."""
ORDINARY_FACTS = ("accounts", "skipped", "people")
"""Facts about users who get no more than the others."""
MAX_OWN_FACTS = 2
"""Roles whose holders have a line of their own. If more roles are out of the ordinary, one list shows users with their roles."""
MAX_OTHERS = 100
"""Items of the list of ordinary users that are stored. The details have all of them."""
MAX_FULL_ADDRESSES = 1_000
"""Lines up to which the details spell out each address."""
USERS_PER_DETAIL = 100


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """A line that changes something, and what it changes."""

    line: UserLine
    creates_account: bool
    joins_tenant: bool
    grants_role: bool


class ImportQuestion:
    """The question of an import.

    Args:
        planned: the lines that change something.
        skipped: the number of lines that need no change.
        kept: the number of members whose attributes differ from the list and are not changed.
        left_out: the number of lines that are left out because of errors.
    """

    def __init__(
        self,
        planned: Sequence[PlannedLine],
        targets: ImportTargets,
        existing: ExistingUsers,
        *,
        skipped: int,
        kept: int,
        left_out: int,
    ) -> None:
        self._planned = planned
        self._targets = targets
        self._existing = existing
        self._skipped, self._kept, self._left_out = skipped, kept, left_out
        self._grants = [each.line for each in planned if each.grants_role]
        self._users = _unique_users(each.line for each in planned)
        self._accounts = _unique_users(each.line for each in planned if each.creates_account)
        self._mails = sum(line.login_type == "email" for line in self._accounts)
        self._tenants = list(dict.fromkeys(each.line.tenant_id for each in planned))
        self._attributes = AttributeFacts(
            (each.line for each in planned if each.joins_tenant), targets.attribute_titles
        )

    @property
    def headline(self) -> Text:
        place: Localized = message("jobs_users.tenants", count=len(self._tenants))
        if len(self._tenants) == 1:
            place = name_text(self._targets.tenants[self._tenants[0]])
        registers = bool(self._accounts) or any(each.joins_tenant for each in self._planned)
        key = "jobs_users.headline_register" if registers else "jobs_users.headline_grant"
        return message(key, count=len(self._users), place=place).both()

    @property
    def undo(self) -> Text:
        return message("jobs_users.undo_mailed" if self._mails else "jobs_users.undo").both()

    @property
    def typed(self) -> Text:
        return message("jobs_users.typed", count=len(self._users)).both()

    @property
    def ordinary_facts(self) -> tuple[str, ...]:
        """The facts that need not be shown whole where the count is typed."""
        return (*ORDINARY_FACTS, *self._attributes.varied)

    def facts(self) -> Iterator[Fact]:
        """Yield the facts, the most important first."""
        yield from self._role_counts()
        yield from self._special_users()
        yield from self._new_domains()
        yield from self._attributes.facts(varied=False)
        if self._accounts:
            yield Fact("accounts", _label("jobs_users.accounts"), self._new_accounts())
        if self._skipped:
            count = counted(self._skipped, "jobs_users.rows")
            yield Fact("skipped", _label("jobs_users.skipped"), count)
        named = {line.login_key for line in self._special_grants()} if not self._are_few else self._users_with_roles()
        others = [line for line in self._users if line.login_key not in named]
        if others:
            label = _label("jobs_users.others" if named else "jobs_users.people")
            yield Fact("people", label, value_list((NamedItem(line.login) for line in others), MAX_OTHERS, PEOPLE))
        yield from self._attributes.facts(varied=True)

    def impact(self) -> Iterator[Fact]:
        """Yield the number of users by tenant, if there are several tenants."""
        counts = Counter(tenant for tenant, _ in {(each.line.tenant_id, each.line.login_key) for each in self._planned})
        if len(counts) > 1:
            items = [
                LabelledValue(name_text(self._targets.tenants[key]), people_count(number))
                for key, number in counts.most_common()
            ]
            yield Fact("tenants", _label("jobs_users.tenants_label"), value_list(items, MAX_IMPORT_ITEMS))

    def warnings(self) -> Iterator[QuestionWarning]:
        if self._left_out:
            text = message("jobs_users.left_out", count=self._left_out)
            yield QuestionWarning("consequence", text.both())
        if self._kept:
            yield QuestionWarning("consequence", message("jobs_users.attributes_stay", count=self._kept).both())
        yield from self._many_privileged()
        if self._mails:
            yield QuestionWarning("email", message("jobs_users.sends_passwords", count=self._mails).both())

    def _many_privileged(self) -> Iterator[QuestionWarning]:
        """Warn of each privileged role that more users get than a line can name."""
        holders: dict[str, set[str]] = defaultdict(set)
        for line in self._grants:
            if self._is_privileged(line.role_name):
                holders[line.role_name].add(line.login_key)
        for role, users in holders.items():
            if len(users) > MAX_LIST_ITEMS:
                name = name_text(self._targets.role_label(role))
                text = message("jobs_users.many_privileged", role=name, count=len(users))
                yield QuestionWarning("consequence", text.both())

    def details(self) -> Iterator[Detail]:
        """Yield every user, by what they get, and their attributes."""
        groups: dict[str, list[str]] = defaultdict(list)
        for each in self._planned:
            line = each.line
            if each.grants_role:
                change = f"{line.role_name} / env {line.env_id}"
            else:
                parts = ("account" if each.creates_account else "", "member" if each.joins_tenant else "")
                change = " + ".join(filter(None, parts))
            groups[f"{change} / tenant {line.tenant_id}"].append(line.login)
        for name, logins in groups.items():
            if len(self._planned) > MAX_FULL_ADDRESSES:
                yield from _details_by_domain(name, logins)
                continue
            for start in range(0, len(logins), USERS_PER_DETAIL):
                yield Detail(name, ", ".join(logins[start : start + USERS_PER_DETAIL]))
        yield from self._attributes.details()

    def _new_accounts(self) -> Value:
        """Return the number of new accounts, and how many get a generated password, which only a person can reveal."""
        generated = sum(line.login_type != "email" for line in self._accounts)
        if not generated:
            return people_count(len(self._accounts))
        labelled = LabelledValue(_label("jobs_users.generated"), people_count(generated))
        return value_list([people_count(len(self._accounts)), labelled])

    def _role_counts(self) -> Iterator[Fact]:
        """Yield the users per role, environment and tenant: privileged roles first, then the rarest."""
        counts = Counter((line.role_name, line.env_id, line.tenant_id) for line in self._grants)
        ordered = sorted(counts, key=lambda each: (not self._is_privileged(each[0]), counts[each], str(each)))
        items = [
            LabelledValue(self._role_in_place(role, env, tenant), people_count(counts[role, env, tenant]))
            for role, env, tenant in ordered
        ]
        if items:
            yield Fact("roles", self._roles_label(), value_list(items, MAX_IMPORT_ITEMS), lead=True)
        without = sum(each.joins_tenant and each.line.env_id is None for each in self._planned)
        if without:
            label = _label("jobs_users.without_role")
            yield Fact("without_role", label, people_count(without), lead=not items)

    def _special_users(self) -> Iterator[Fact]:
        """Yield the users who get a role other than the ordinary one."""
        by_role: dict[str, list[UserLine]] = defaultdict(list)
        for line in self._special_grants():
            by_role[line.role_name].append(line)
        if self._are_few and len({line.role_name for line in self._grants}) > 1:
            yield self._by_person([each.line for each in self._planned])
            return
        special = sorted(by_role, key=lambda role: (not self._is_privileged(role), len(by_role[role]), role))
        if len(special) <= MAX_OWN_FACTS:
            for role in special:
                label = message("jobs_users.role_holders", role=name_text(self._targets.role_label(role)))
                holders = value_list(self._holders(by_role[role]), MAX_IMPORT_ITEMS, PEOPLE)
                yield Fact(f"role.{role}", label.both(), holders, lead=True)
        else:
            users = {line.login_key for line in self._special_grants()}
            yield self._by_person([line for line in self._grants if line.login_key in users])

    def _by_person(self, lines: Sequence[UserLine]) -> Fact:
        return Fact(
            "by_person",
            _label("jobs_users.by_person"),
            value_list(self._with_roles(lines), MAX_IMPORT_ITEMS, PEOPLE),
            lead=True,
        )

    def _special_grants(self) -> list[UserLine]:
        """Return the grants of all roles but the ordinary one and roles with the same holders. Privileged roles are special."""
        counts = Counter(line.role_name for line in self._grants)
        most = min(counts, key=lambda role: (-counts[role], self._is_privileged(role)), default="")
        holders: dict[str, Counter[str]] = defaultdict(Counter)
        for line in self._grants:
            holders[line.role_name][line.login_key] += 1
        ordinary = {role for role in counts if holders[role] == holders[most] and not self._is_privileged(role)}
        return [line for line in self._grants if line.role_name not in ordinary]

    @property
    def _are_few(self) -> bool:
        """Whether one line can list all users."""
        return len(self._users) <= MAX_LIST_ITEMS

    def _users_with_roles(self) -> set[str]:
        """Return the users whom a question about few users lists with their roles."""
        roles = {line.role_name for line in self._grants}
        return {line.login_key for line in (self._users if len(roles) > 1 else self._special_grants())}

    @property
    def _in_one_place(self) -> bool:
        """Whether all roles are granted in one environment of one tenant, which is then named only once."""
        return len(self._tenants) == 1 and len({line.env_id for line in self._grants}) == 1

    def _roles_label(self) -> Text:
        if not self._in_one_place:
            return _label("jobs_users.roles_granted")
        place = self._place(self._grants[0].env_id, self._tenants[0])
        return message("jobs_users.roles_in", place=place).both()

    def _holders(self, lines: Sequence[UserLine]) -> Iterator[Value]:
        """Yield each user once, with the places of the role if they differ."""
        for login, own in _by_login(lines).items():
            if self._in_one_place:
                yield NamedItem(login)
            else:
                places = [self._place(line.env_id, line.tenant_id) for line in own]
                yield LabelledValue(name_text(login), _short_list(places))

    def _with_roles(self, lines: Sequence[UserLine]) -> Iterator[Value]:
        """Yield each user once with their roles: privileged users first, then those with the most roles."""
        by_login = _by_login(lines)
        for own in by_login.values():
            own.sort(key=lambda line: not self._is_privileged(line.role_name))
        for login, own in sorted(
            by_login.items(), key=lambda item: (not self._is_privileged(item[1][0].role_name), -len(item[1]))
        ):
            roles = dict.fromkeys(
                self._role_in_place(line.role_name, line.env_id, line.tenant_id)
                for line in own
                if line.env_id is not None
            )
            yield LabelledValue(name_text(login), _short_list(list(roles) or [_label("jobs_users.no_role")]))

    def _new_domains(self) -> Iterator[Fact]:
        """Yield the e-mail domains that no member of the tenant has yet."""
        joining = {
            (each.line.tenant_id, each.line.login_key): each.line
            for each in self._planned
            if each.joins_tenant or each.creates_account
        }
        new = Counter(
            email_domain(line.login)
            for line in joining.values()
            if line.login_type == "email"
            and email_domain(line.login) not in self._existing.domains.get(line.tenant_id, ())
        )
        if new:
            items = [
                LabelledValue(name_text(name), people_count(number))
                for name, number in sorted(new.items(), key=lambda each: each[1])
            ]
            yield Fact("domains", _label("jobs_users.new_domains"), value_list(items, MAX_IMPORT_ITEMS))

    def _is_privileged(self, role: str) -> bool:
        return is_privileged_name(self._targets.role_label(role))

    def _role_in_place(self, role: str, env: int | None, tenant: str) -> Text:
        name = name_text(self._targets.role_label(role))
        if self._in_one_place:
            return name
        return message("jobs_users.role_in", role=name, place=self._place(env, tenant)).both()

    def _place(self, env: int | None, tenant: str) -> Text:
        """Return an environment, with its tenant if there are several tenants."""
        name = name_text(self._targets.envs[env].label if env is not None else "")
        if len(self._tenants) == 1:
            return name
        tenant_name = name_text(self._targets.tenants[tenant])
        return message("jobs_users.env_of_tenant", env=name, tenant=tenant_name).both()


def _label(key: str) -> Text:
    return message(key).both()


def _by_login(lines: Iterable[UserLine]) -> dict[str, list[UserLine]]:
    found: dict[str, list[UserLine]] = defaultdict(list)
    for line in lines:
        found[line.login].append(line)
    return found


def _unique_users(lines: Iterable[UserLine]) -> list[UserLine]:
    """Return the first line of each user."""
    return list({line.login_key: line for line in reversed(list(lines))}.values())[::-1]


def _details_by_domain(name: str, logins: Sequence[str]) -> Iterator[Detail]:
    """Yield the logins in less space: each domain once."""
    domains: dict[str, list[str]] = defaultdict(list)
    for login in logins:
        local, at, domain = login.rpartition("@")
        domains[f"{at}{domain}" if at else ""].append(local if at else login)
    for domain, some in domains.items():
        yield Detail(f"{name} / {domain}" if domain else name, ", ".join(some))


def _short_list(texts: Sequence[Text]) -> Value:
    """Return the texts in brackets, or as a list if they are too many for a line."""
    if len(texts) > MAX_LIST_ITEMS:
        return value_list((FixedText(text) for text in texts), MAX_IMPORT_ITEMS)
    return in_brackets(texts)

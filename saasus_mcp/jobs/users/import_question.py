"""What a person is asked before an import: which roles go to how many people where, who gets more than the others, what follows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from saasus_mcp.common.language import Text
from saasus_mcp.common.text import quote_name
from saasus_mcp.jobs.name_index import ImportTargets
from saasus_mcp.jobs.users.existing_users import ExistingUsers, email_domain
from saasus_mcp.jobs.users.user_list import UserLine
from saasus_mcp.permissions.question.content import (
    Detail,
    Fact,
    FixedText,
    LabelledValue,
    NamedItem,
    Quantity,
    QuestionWarning,
    Value,
    ValueList,
)
from saasus_mcp.permissions.question.formatting import MAX_LIST_ITEMS
from saasus_mcp.permissions.question.values import is_privileged

PEOPLE = Text("people", "人")
ROWS = Text("rows", "行")
BY_PERSON, NO_ROLE = Text("Roles by person", "人ごとのロール"), Text("no role", "ロールなし")
MAX_ITEMS = 500
"""Items of one list that are kept with the question. Of more, the number is told."""
ORDINARY_FACTS = ("accounts", "skipped", "people")
"""Facts about those who get no more than the others."""
MAX_OWN_FACTS = 2
"""Roles whose people stand in a line of their own; where more are out of the ordinary, people are listed with their roles."""
MAX_OTHERS = 100
"""The same, of those who get no more than the others: all of them stand in the details."""
MAX_FULL_ADDRESSES = 1_000
"""Lines of which the details spell every address out."""
USERS_PER_DETAIL = 100
"""People in one line of the details."""


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """One line that changes something: its steps, by what they do."""

    line: UserLine
    creates_account: bool
    joins_tenant: bool
    grants_role: bool


class ImportQuestion:
    """The question of an import.

    Args:
        planned: the lines that change something.
        skipped: how many lines are there already.
        kept: how many of the people who are members keep attributes other than those that are listed.
        left_out: how many lines are left out for their mistakes.
    """

    def __init__(
        self,
        planned: Sequence[PlannedLine],
        there: ImportTargets,
        found: ExistingUsers,
        *,
        skipped: int,
        kept: int,
        left_out: int,
    ) -> None:
        self._planned = planned
        self._there = there
        self._found = found
        self._skipped, self._kept, self._left_out = skipped, kept, left_out
        self._grants = [each.line for each in planned if each.grants_role]
        self._people = _once(each.line for each in planned)
        self._accounts = _once(each.line for each in planned if each.creates_account)
        self._tenants = list(dict.fromkeys(each.line.tenant_id for each in planned))

    @property
    def headline(self) -> Text:
        """How many people are registered where."""
        people = len(self._people)
        if len(self._tenants) == 1:
            name = self._there.tenants[self._tenants[0]]
            en, ja = f"in {quote_name(name)}", f"{quote_name(name, 'ja')}に"
        else:
            en, ja = f"in {len(self._tenants)} tenants", f"{len(self._tenants)}テナントに"
        who = _people(people)
        if not self._accounts and not any(each.joins_tenant for each in self._planned):
            return Text(f"Grant roles to {who} {en}", f"{ja.removesuffix('に')}で{people:,}人にロールを付与します")
        return Text(f"Register {who} {en}", f"{ja}{people:,}人を登録します")

    @property
    def typed(self) -> Text:
        """How many people: what is typed."""
        count = len(self._people)
        return Text(_people(count).replace(",", ""), f"{count}人")

    def facts(self) -> Iterator[Fact]:
        """By weight."""
        yield from self._roles()
        yield from self._called_out()
        yield from self._domains()
        if self._accounts:
            yield Fact("accounts", Text("New accounts", "新規アカウント"), self._new_accounts())
        if self._skipped:
            label = Text("Skipped, there already", "登録済みのためスキップ")
            yield Fact("skipped", label, Quantity(str(self._skipped), ROWS))
        named_already = {line.login_key for line in self._special()} if not self._are_few else self._everybody()
        others = [line for line in self._people if line.login_key not in named_already]
        if others:
            label = Text("Others", "ほかの人") if named_already else Text("People", "対象者")
            yield Fact("people", label, _several((NamedItem(line.login) for line in others), MAX_OTHERS))

    def impact(self) -> Iterator[Fact]:
        """Tenants and people that are affected."""
        counts = Counter(tenant for tenant, _ in {(each.line.tenant_id, each.line.login_key) for each in self._planned})
        if len(counts) > 1:
            items = [
                LabelledValue(_plain(self._there.tenants[key]), _count(number)) for key, number in counts.most_common()
            ]
            yield Fact("tenants", Text("Tenants", "テナント"), _several(items))

    def warnings(self) -> Iterator[QuestionWarning]:
        """What follows that the numbers do not say."""
        mails = sum(line.login_type == "email" for line in self._accounts)
        if self._left_out:
            yield QuestionWarning(
                "consequence",
                Text(
                    f"{'1 row' if self._left_out == 1 else f'{self._left_out} rows'} with mistakes left out.",
                    f"誤りのある{self._left_out}行は登録しません。",
                ),
            )
        if self._kept:
            yield QuestionWarning(
                "consequence",
                Text(
                    f"Attributes of {_people(self._kept)} already in the tenant stay as they are.",
                    f"すでに所属している{self._kept}人の属性は変更しません。",
                ),
            )
        if mails:
            yield QuestionWarning(
                "email",
                Text(
                    f"Sends a password by e-mail to {_people(mails)}",
                    f"{mails}人にパスワードをメールで送信します",
                ),
            )

    def details(self) -> Iterator[Detail]:
        """Everybody, by what they get."""
        groups: dict[str, list[str]] = defaultdict(list)
        for each in self._planned:
            line = each.line
            what = ["account" if each.creates_account else "", "member" if each.joins_tenant else ""]
            role = f"{line.role_name} / env {line.env_id} / " if each.grants_role else ""
            extra = "" if each.grants_role else " + ".join(filter(None, what)) + " / "
            groups[f"{role}{extra}tenant {line.tenant_id}"].append(line.login)
        for name, people in groups.items():
            if len(self._planned) > MAX_FULL_ADDRESSES:
                yield from _by_domain(name, people)
                continue
            for start in range(0, len(people), USERS_PER_DETAIL):
                yield Detail(name, ", ".join(people[start : start + USERS_PER_DETAIL]))

    def _new_accounts(self) -> Value:
        """How many there are, and how many of them get a password that only a person can reveal."""
        generated = sum(line.login_type != "email" for line in self._accounts)
        if not generated:
            return _count(len(self._accounts))
        by = LabelledValue(Text("with a generated password:", "うちパスワードを生成"), _count(generated))
        return _several([_count(len(self._accounts)), by])

    def _roles(self) -> Iterator[Fact]:
        """Role by environment by tenant, with how many get it; those that sound like more than the others first, then the rarest."""
        counts = Counter((line.role_name, line.env_id, line.tenant_id) for line in self._grants)
        ordered = sorted(counts, key=lambda each: (not self._privileged(each[0]), counts[each], str(each)))
        items = [
            LabelledValue(self._where(role, env, tenant), _count(counts[role, env, tenant]))
            for role, env, tenant in ordered
        ]
        if items:
            yield Fact("roles", self._granted_where(), _several(items), lead=True)
        without = sum(each.joins_tenant and each.line.env_id is None for each in self._planned)
        if without:
            yield Fact(
                "without_role", Text("Members without a role", "ロールなしで追加"), _count(without), lead=not items
            )

    def _called_out(self) -> Iterator[Fact]:
        """Everybody who gets a role that is not the one that most of them get."""
        by_role: dict[str, list[UserLine]] = defaultdict(list)
        for line in self._special():
            by_role[line.role_name].append(line)
        if self._are_few and len({line.role_name for line in self._grants}) > 1:
            every = [each.line for each in self._planned]
            yield Fact("by_person", BY_PERSON, _several(self._with_roles(every)), lead=True)
            return
        special = sorted(by_role, key=lambda role: (not self._privileged(role), len(by_role[role]), role))
        if len(special) <= MAX_OWN_FACTS:
            for role in special:
                name = self._there.role_label(role)
                label = Text(f"{quote_name(name)} goes to", f"{quote_name(name, 'ja')}を付与する人")
                yield Fact(f"role.{role}", label, _several(self._holders(by_role[role])), lead=True)
        else:
            people = {line.login_key for line in self._special()}
            lines = [line for line in self._grants if line.login_key in people]
            yield Fact("by_person", BY_PERSON, _several(self._with_roles(lines)), lead=True)

    def _special(self) -> list[UserLine]:
        """The grants of every role but the most usual one, and what the same people get beside it; whatever the name of which
        says that it may do more is special.
        """
        counts = Counter(line.role_name for line in self._grants)
        most = min(counts, key=lambda role: (-counts[role], self._privileged(role)), default="")
        holders: dict[str, Counter[str]] = defaultdict(Counter)
        for line in self._grants:
            holders[line.role_name][line.login_key] += 1
        usual = {role for role in counts if holders[role] == holders[most] and not self._privileged(role)}
        return [line for line in self._grants if line.role_name not in usual]

    @property
    def _are_few(self) -> bool:
        """Whether everybody can be listed in one line."""
        return len(self._people) <= MAX_LIST_ITEMS

    def _everybody(self) -> set[str]:
        """Whoever is named with their roles where all are few."""
        roles = {line.role_name for line in self._grants}
        return {line.login_key for line in (self._people if len(roles) > 1 else self._special())}

    @property
    def _in_one_place(self) -> bool:
        """Whether all roles are granted in one environment of one tenant, which then need not be said of each."""
        return len(self._tenants) == 1 and len({line.env_id for line in self._grants}) == 1

    def _granted_where(self) -> Text:
        if not self._in_one_place:
            return Text("Roles granted", "付与するロール")
        place = self._place(self._grants[0].env_id, self._tenants[0])
        return Text(f"Roles granted in {place.en}", f"{place.ja}で付与するロール")

    def _holders(self, lines: Sequence[UserLine]) -> Iterator[Value]:
        """Each person once, with where they get the role, where it is not the same place for all."""
        places: dict[str, list[UserLine]] = defaultdict(list)
        for line in lines:
            places[line.login].append(line)
        for login, own in places.items():
            if self._in_one_place:
                yield NamedItem(login)
            else:
                where = [self._place(line.env_id, line.tenant_id) for line in own]
                yield LabelledValue(_plain(login), _joined(where))

    def _with_roles(self, lines: Sequence[UserLine]) -> Iterator[Value]:
        """Each person once, with their roles: first those whose roles sound like more, then those who get the most."""
        roles: dict[str, list[UserLine]] = defaultdict(list)
        for line in lines:
            roles[line.login].append(line)
        for own in roles.values():
            own.sort(key=lambda line: not self._privileged(line.role_name))
        for login, own in sorted(
            roles.items(), key=lambda item: (not self._privileged(item[1][0].role_name), -len(item[1]))
        ):
            told = [self._where(line.role_name, line.env_id, line.tenant_id) for line in own if line.env_id is not None]
            yield LabelledValue(_plain(login), _joined(list(dict.fromkeys(told)) or [NO_ROLE]))

    def _domains(self) -> Iterator[Fact]:
        """Domains of addresses that no member of the tenant has yet."""
        joining = {
            (each.line.tenant_id, each.line.login_key): each.line
            for each in self._planned
            if each.joins_tenant or each.creates_account
        }
        new = Counter(
            email_domain(line.login)
            for line in joining.values()
            if line.login_type == "email"
            and email_domain(line.login) not in self._found.domains.get(line.tenant_id, ())
        )
        if new:
            items = [
                LabelledValue(_plain(name), _count(number))
                for name, number in sorted(new.items(), key=lambda each: each[1])
            ]
            label = Text("E-mail domains new to the tenant", "テナントで初めてのメールドメイン")
            yield Fact("domains", label, _several(items))

    def _privileged(self, role: str) -> bool:
        return is_privileged(NamedItem(self._there.role_label(role)))

    def _where(self, role: str, env: int | None, tenant: str) -> Text:
        spoken, place = self._there.role_label(role), self._place(env, tenant)
        if self._in_one_place:
            return _plain(spoken)
        return Text(f"{quote_name(spoken)} in {place.en}", f"{place.ja}の{quote_name(spoken, 'ja')}")

    def _place(self, env: int | None, tenant: str) -> Text:
        """An environment, with the tenant where there are several."""
        called = self._there.envs[env].label if env is not None else ""
        if len(self._tenants) == 1:
            return _plain(called)
        name = self._there.tenants[tenant]
        return Text(
            f"{quote_name(called)} of {quote_name(name)}", f"{quote_name(name, 'ja')}の{quote_name(called, 'ja')}"
        )


def _once(lines: Iterable[UserLine]) -> list[UserLine]:
    """A line for each person."""
    return list({line.login_key: line for line in reversed(list(lines))}.values())[::-1]


def _several(items: Iterable[Value], most: int = MAX_ITEMS) -> ValueList:
    every = list(items)
    return ValueList(tuple(every[:most]), (1,) * min(len(every), most), len(every))


def _by_domain(name: str, people: Sequence[str]) -> Iterator[Detail]:
    """People in less room: the domain of their addresses is said once."""
    domains: dict[str, list[str]] = defaultdict(list)
    for login in people:
        local, at, where = login.rpartition("@")
        domains[f"{at}{where}" if at else ""].append(local if at else login)
    for where, some in domains.items():
        yield Detail(f"{name} / {where}" if where else name, ", ".join(some))


def _joined(texts: Sequence[Text]) -> Value:
    if len(texts) > MAX_LIST_ITEMS:
        return _several(FixedText(text) for text in texts)
    en, ja = (", ".join(text.en for text in texts), "・".join(text.ja for text in texts))
    return FixedText(Text(f"({en})", f"({ja})"))


def _plain(name: str) -> Text:
    return Text(quote_name(name), quote_name(name, "ja"))


def _count(number: int) -> Quantity:
    return Quantity(str(number), Text("person", "人") if number == 1 else PEOPLE)


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"

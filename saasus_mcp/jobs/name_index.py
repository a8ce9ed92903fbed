"""Finding records by id or by name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.text import Quoted, fold_name, one_line
from saasus_mcp.jobs.job_reader import JobReader

MAX_LISTED, MAX_NAME = 10, 80
UUID_PATTERN = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""A text that is an id of the API, and no name."""
NAME_FIELDS = ("name", "display_name", "unit_name", "role_name", "attribute_name")
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class NameKind:
    """How to find one kind of record by name.

    Attributes:
        kind: a key of the messages `jobs.kind`.
        read, items, key: the list of all records, and the field with their id.
    """

    kind: str
    read: str
    items: str
    key: str


TENANT = NameKind("tenant", "auth.GetTenants", "tenants", "id")
PLAN = NameKind("plan", "pricing.GetPricingPlans", "pricing_plans", "id")
ENVIRONMENT = NameKind("environment", "auth.GetEnvs", "envs", "id")
ROLE = NameKind("role", "auth.GetRoles", "roles", "role_name")
TAX_RATE = NameKind("tax_rate", "pricing.GetTaxRates", "tax_rates", "id")
USER_ATTRIBUTE = NameKind("attribute", "auth.GetUserAttributes", "user_attributes", "attribute_name")


class UnknownName(Exception):
    """No record, or several, have the name. `hint`: the names that exist, which are listed once for all errors."""

    def __init__(self, problem: Message, hint: Message | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint

    def of_argument(self, argument: str) -> InvalidArguments:
        return InvalidArguments((argument,), message("jobs.sentence", text=self.problem), self.hint)


class NameIndex(Generic[K]):
    """Records by id and name. An id has priority over a name, and an exact name over one that differs in case or width.

    Args:
        kind: a key of the messages `jobs.kind`, such as `tenant`.
        names: the names of each record, by id.
    """

    def __init__(self, kind: str, names: Mapping[K, Sequence[str]]) -> None:
        self._kind = kind
        self._names = names
        self._ids = {str(key): key for key in names}
        self._exact: dict[str, list[K]] = defaultdict(list)
        self._folded: dict[str, list[K]] = defaultdict(list)
        for key, called in names.items():
            for name in {each.strip() for each in called} - {""}:
                self._exact[name].append(key)
            for name in {fold_name(each) for each in called} - {""}:
                self._folded[name].append(key)

    def __contains__(self, key: object) -> bool:
        return key in self._names

    def knows(self, text: str) -> bool:
        """Return whether a record has this id, or one record or several have this name."""
        return text in self._ids or fold_name(text) in self._folded

    def resolve(self, text: str) -> K:
        """Return the id of the only record with this id or name. Raise UnknownName if no record, or several, have the name."""
        if text in self._ids:
            return self._ids[text]
        found = self._exact.get(text) or self._folded.get(fold_name(text)) or []
        if len(found) == 1:
            return found[0]
        kind, name = one_of("jobs.kind", self._kind), Quoted(text)
        if found:
            ids = tuple(str(key) for key in found[:MAX_LISTED])
            raise UnknownName(message("jobs.ambiguous_name", kind=kind, count=len(found), name=name, ids=ids))
        raise UnknownName(message("jobs.unknown_name", kind=kind, name=name), self._list_names())

    def _list_names(self) -> Message | None:
        if not self._names:
            return None
        known = tuple(_with_names(str(key), names) for key, names in islice(self._names.items(), MAX_LISTED))
        more = len(self._names) > MAX_LISTED
        return message(
            "jobs.known_names_more" if more else "jobs.known_names", kind=one_of("jobs.kind", self._kind), names=known
        )


def resolve_names(argument: str, wanted: Iterable[Any], kind: str, names: Mapping[K, Sequence[str]]) -> list[K]:
    """Return the ids of the records that an argument names. Otherwise, a misspelt name would make an empty report.

    Args:
        kind, names: see `NameIndex`.

    Raises:
        InvalidArguments: no record, or several, have a name.
    """
    index = NameIndex(kind, names)
    try:
        return list(dict.fromkeys(index.resolve(str(value)) for value in wanted))
    except UnknownName as error:
        raise error.of_argument(argument) from None


async def read_names(reader: JobReader, kind: NameKind) -> dict[Any, list[str]]:
    """Return the names of all records of a kind, by id. Only for a plan: no checkpoint stores ids that are numbers as keys.

    Raises:
        ReadFailed: the list cannot be read.
    """
    records: list[dict[str, Any]] = await reader.read(kind.read, take=lambda answer: answer.get(kind.items, []))
    return {each[kind.key]: [each[name] for name in NAME_FIELDS if each.get(name)] for each in records}


def _with_names(key: str, names: Sequence[str]) -> str:
    """Return a record for a list that each of many faults repeats, with texts that anybody may have chosen."""
    shown = one_line(key, MAX_NAME)
    called = " / ".join(dict.fromkeys(one_line(name, MAX_NAME) for name in names if name and name != key))
    return f"{shown} ({called})" if called else shown

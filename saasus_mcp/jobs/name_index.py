"""What a list of users can refer to, found by id or by what people call it."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from saasus_mcp.common.text import quote_text

MAX_LISTED = 10
K = TypeVar("K", bound=Hashable)


class CellError(Exception):
    """What is wrong with one line: in which column, and why; and what would be right, which is told once for all lines."""

    def __init__(self, column: str, why: str, hint: str = "") -> None:
        super().__init__(f"{column}: {why}")
        self.message = why
        self.hint = hint


@dataclass(frozen=True, slots=True)
class DisplayName:
    """How an environment or role is called: by programs, and by people."""

    name: str
    display_name: str = ""

    @property
    def label(self) -> str:
        """Both names, where there are two."""
        return (
            f"{self.display_name} ({self.name})" if self.display_name and self.display_name != self.name else self.name
        )


class NameIndex(Generic[K]):
    """Things by their ids and names. An id goes before a name, and a name as it is before one that is written otherwise.

    Args:
        what: what they are, in English.
        names: their names, by key.
    """

    def __init__(self, what: str, names: Mapping[K, Sequence[str]]) -> None:
        self._what = what
        self._ids = {str(key): key for key in names}
        self._exact: dict[str, list[K]] = defaultdict(list)
        self._folded: dict[str, list[K]] = defaultdict(list)
        for key, called in names.items():
            for name in {each.strip() for each in called} - {""}:
                self._exact[name].append(key)
            for name in {fold_name(each) for each in called} - {""}:
                self._folded[name].append(key)
        self._told = [_told(str(key), called) for key, called in list(names.items())[:MAX_LISTED]]
        self._more = len(names) > MAX_LISTED

    def resolve(self, text: str, column: str) -> K:
        """The one thing of this id or name.

        Raises:
            Fault: there is none, or there are several.
        """
        if text in self._ids:
            return self._ids[text]
        found = self._exact.get(text) or self._folded.get(fold_name(text)) or []
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(str(key) for key in found[:MAX_LISTED])
            raise CellError(
                column, f"there are {len(found)} {self._what}s called {quote_text(text)}; give its id: {ids}"
            )
        hint = (
            f"There are these {self._what}s: {', '.join(self._told)}{', …' if self._more else ''}."
            if self._told
            else ""
        )
        raise CellError(column, f"there is no {self._what} {quote_text(text)}", hint)


@dataclass(frozen=True)
class ImportTargets:
    """What a list can refer to.

    Attributes:
        tenants: names, by id.
        envs: by id.
        roles: display names, by name.
        attributes: the types of user attributes, by name.
    """

    tenants: Mapping[str, str]
    envs: Mapping[int, DisplayName]
    roles: Mapping[str, str]
    attributes: Mapping[str, str]

    @cached_property
    def tenant_index(self) -> NameIndex[str]:
        """Tenants by id or name."""
        return NameIndex("tenant", {key: [name] for key, name in self.tenants.items()})

    @cached_property
    def env_index(self) -> NameIndex[int]:
        """Environments by id, name or display name."""
        return NameIndex("environment", {key: [env.name, env.display_name] for key, env in self.envs.items()})

    @cached_property
    def role_index(self) -> NameIndex[str]:
        """Roles by name or display name."""
        return NameIndex("role", {name: [name, display] for name, display in self.roles.items()})

    def role_label(self, role: str) -> str:
        """A role as people call it."""
        return DisplayName(role, self.roles.get(role, "")).label


def fold_name(text: str) -> str:
    """One text for a name, however it is written."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _told(key: str, names: Sequence[str]) -> str:
    called = " / ".join(dict.fromkeys(name for name in names if name and name != key))
    return f"{key} ({called})" if called else key

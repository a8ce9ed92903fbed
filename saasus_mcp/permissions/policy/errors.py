"""Faults of a policy file: place, problem and fix, in both languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.policy_wording import FAULTS, FORMS, KINDS, MORE, PLACES

MAX_VALUE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class PolicyFault:
    """One fault.

    Attributes:
        line: line number from 1; 0 without a place.
        what: its kind, a key of the messages.
        given: the parameters of the message.
        place: `rules` or `cases` with a name, `field` with a name; empty if the line is enough.
    """

    line: int
    kind: str
    params: Mapping[str, str] = field(default_factory=dict)
    place: tuple[tuple[str, str], ...] = ()

    def message(self, language: Language = "en") -> str:
        """Return the problem."""
        return FAULTS[language][self.kind][0].format(**self._words(language))

    def hint(self, language: Language = "en") -> str:
        """Return the fix."""
        return FAULTS[language][self.kind][1].format(**self._words(language))

    def render(self, file: Path, language: Language = "en") -> str:
        """Return file, line, problem and fix for people."""
        start = PLACES[language]["line" if self.line else "file"].format(file=file, line=self.line)
        return start + str(SaasusMcpError(self.message(language), self.hint(language)))

    def _words(self, language: Language) -> dict[str, str]:
        words = {name: value[:MAX_VALUE_LENGTH] if name == "given" else value for name, value in self.params.items()}
        if "wanted" in words:
            words["wanted"] = KINDS[language].get(words["wanted"], words["wanted"])
        if "form" in words:
            words["form"] = FORMS[language][words["form"]]
        return words | {"place": "".join(PLACES[language][kind].format(name=name) for kind, name in self.place)}


class PolicyError(SaasusMcpError):
    """A policy file has faults. The message shows the first; `faults` has all of them by line."""

    def __init__(self, file: Path, faults: Iterable[PolicyFault], language: Language = "en") -> None:
        self.file = file
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))
        first = self.faults[0]
        start = PLACES[language]["line" if first.line else "file"].format(file=file, line=first.line)
        more = f" {MORE[language].format(count=len(self.faults) - 1)}" if len(self.faults) > 1 else ""
        super().__init__(start + first.message(language), first.hint(language) + more)

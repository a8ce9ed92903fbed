"""A fault in a policy file: where it is, what is wrong and how to mend it, in both languages."""

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
        line: where, counted from 1; 0 where it is nowhere in particular.
        what: its kind, a key of the wording.
        given: what the wording speaks of.
        place: what it belongs to: `rules` or `cases` with a name, `field` with a name; none where the line says enough.
    """

    line: int
    kind: str
    params: Mapping[str, str] = field(default_factory=dict)
    place: tuple[tuple[str, str], ...] = ()

    def message(self, language: Language = "en") -> str:
        """What is wrong."""
        return FAULTS[language][self.kind][0].format(**self._words(language))

    def hint(self, language: Language = "en") -> str:
        """What to do about it."""
        return FAULTS[language][self.kind][1].format(**self._words(language))

    def render(self, file: Path, language: Language = "en") -> str:
        """File, line, what is wrong and what to do about it, for people."""
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
    """A policy file is not sound. The message tells its first fault; `faults` holds all that were found, by line."""

    def __init__(self, file: Path, faults: Iterable[PolicyFault], language: Language = "en") -> None:
        self.file = file
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))
        first = self.faults[0]
        start = PLACES[language]["line" if first.line else "file"].format(file=file, line=first.line)
        more = f" {MORE[language].format(count=len(self.faults) - 1)}" if len(self.faults) > 1 else ""
        super().__init__(start + first.message(language), first.hint(language) + more)

"""Faults of a policy file: place, problem and fix, in both languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, Parameter, message, one_of

MAX_VALUE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class PolicyFault:
    """One fault.

    Attributes:
        line: line number from 1; 0 without a place.
        kind: a value of the group `policy.fault`, and of `policy.hint`.
        params: the parameters of both messages.
        place: `rules` or `cases` with a name, `field` with a name; empty if the line is enough.
    """

    line: int
    kind: str
    params: Mapping[str, Parameter] = field(default_factory=dict)
    place: tuple[tuple[str, str], ...] = ()

    @property
    def message(self) -> Message:
        """The problem, after its place within the file."""
        problem = one_of("policy.fault", self.kind, **self._params())
        for kind, name in reversed(self.place):
            problem = one_of("policy.place", kind, name=name, fault=problem)
        return problem

    @property
    def hint(self) -> Message:
        """The fix."""
        return one_of("policy.hint", self.kind, **self._params())

    def located(self, file: Path) -> Message:
        """Return the problem after file and line."""
        return one_of(
            "policy.location", "line" if self.line else "file", file=str(file), line=self.line, fault=self.message
        )

    def render(self, file: Path, language: Language) -> str:
        """Return file, line, problem and fix for people."""
        return SaasusMcpError(self.located(file), self.hint).text(language)

    def _params(self) -> dict[str, Parameter]:
        params = dict(self.params)
        given, wanted, form = (params.get(name) for name in ("given", "wanted", "form"))
        if isinstance(given, str):
            params["given"] = given[:MAX_VALUE_LENGTH]
        if isinstance(wanted, str) and wanted in _TYPES:
            params["wanted"] = one_of("policy.type", wanted)
        if isinstance(form, str):
            params["form"] = one_of("policy.form", form)
        return params


class PolicyError(SaasusMcpError):
    """A policy file has faults. The message shows the first; `faults` has all of them by line."""

    def __init__(self, file: Path, faults: Iterable[PolicyFault]) -> None:
        self.file = file
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))
        first, *others = self.faults
        hint = message("policy.more_faults", hint=first.hint, count=len(others)) if others else first.hint
        super().__init__(first.located(file), hint)


_TYPES = frozenset({"string", "array", "object", "integer", "boolean"})

"""A policy held to cases: calls with the decision that each must get."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saasus_mcp.catalog import Catalogue, Language, UnknownTool, load
from saasus_mcp.cli.policy_wording import WORDS
from saasus_mcp.permissions import policy_file, policy_shape, policy_yaml
from saasus_mcp.permissions.case import Case, Decision, Principal
from saasus_mcp.permissions.policy_faults import Fault, PolicyError
from saasus_mcp.permissions.policy_yaml import Document

NOBODY = "test"


@dataclass(frozen=True, slots=True)
class Result:
    """One case: what was expected and what was decided."""

    name: str
    line: int
    expected: str
    rule: str | None
    decision: Decision

    @property
    def passed(self) -> bool:
        return self.decision.outcome == self.expected and self.rule in (None, self.decision.rule)


@dataclass(frozen=True, slots=True)
class Results:
    """Every case of a file."""

    policy: str
    cases: tuple[Result, ...]

    @property
    def failed(self) -> int:
        return sum(not case.passed for case in self.cases)


def run(file: Path) -> Results:
    """Decide every case of a file.

    Raises:
        PolicyError: the file, or the policy it names, is not sound.
    """
    document, catalogue = policy_yaml.read(file), load()
    if not isinstance(document.value, dict):
        raise PolicyError(file, [Fault(0, "empty")])
    faults = policy_shape.faults(document, policy_shape.TEST) or list(_faults(document, catalogue))
    if faults:
        raise PolicyError(file, faults)
    said = document.value
    policy = policy_file.load(
        file.parent / said["policy"] if "policy" in said else policy_file.preset(said["mode"]), catalogue
    )
    results = (
        Result(
            case["name"],
            document.line("cases", index),
            case["expect"],
            case.get("rule"),
            policy.decide(_case(case, catalogue)),
        )
        for index, case in enumerate(said["cases"])
    )
    return Results(policy.name, tuple(results))


def lines(results: Results, lang: Language) -> Iterator[str]:
    """The results, for people."""
    words = WORDS[lang]
    for case in results.cases:
        decision = case.decision
        got = words["by"].format(outcome=decision.outcome, rule=decision.rule)
        expected = words["by"].format(outcome=case.expected, rule=case.rule) if case.rule else case.expected
        told = {"name": case.name, "line": case.line, "expected": expected, "got": got, "reason": decision.reason}
        yield words["passed" if case.passed else "failed"].format(**told)
    passed = len(results.cases) - results.failed
    yield words["results"].format(passed=passed, failed=results.failed, policy=results.policy)


def _case(said: dict[str, Any], catalogue: Catalogue) -> Case:
    principal = Principal(said.get("as", NOBODY), frozenset(said.get("groups", ())), said.get("claims", {}))
    operation, profile = catalogue.find(said["tool"]), said.get("profile", "default")
    return Case(operation, said.get("args", {}), principal, profile, said.get("target"), said.get("impact"))


def _faults(document: Document, catalogue: Catalogue) -> Iterator[Fault]:
    """What does not make sense: no policy, a name twice, a tool or an argument that does not exist."""
    if ("policy" in document.value) == ("mode" in document.value):
        yield Fault(1, "which_policy")
    first: dict[str, int] = {}
    for index, case in enumerate(document.value["cases"]):
        where = policy_shape.place(document, ("cases", index))
        line = document.line("cases", index, "name")
        if case["name"] in first:
            yield Fault(line, "case_name", {"first": str(first[case["name"]])}, where)
        first.setdefault(case["name"], line)
        try:
            operation = catalogue.find(case["tool"])
        except UnknownTool as error:
            what = "unknown_tool" if error.nearest else "unknown_tool_far"
            given = {"tool": case["tool"], "nearest": ", ".join(error.nearest)}
            yield Fault(document.line("cases", index, "tool"), what, given, where)
            continue
        known = operation.input_schema.get("properties", {})
        for name in case.get("args", {}):
            if name not in known:
                given = {"tool": operation.tool, "key": name, "known": ", ".join(known) or "-"}
                yield Fault(document.line("cases", index, "args", name), "argument", given, where)

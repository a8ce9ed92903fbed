"""A policy held to cases: calls with the decision that each must get."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saasus_mcp.catalog import Catalogue, UnknownTool, load_catalogue
from saasus_mcp.cli.policy_wording import WORDS
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.permissions.policy import schema, yaml_reader
from saasus_mcp.permissions.policy.errors import PolicyError, PolicyFault
from saasus_mcp.permissions.policy.model import Decision, PolicyInput, Principal
from saasus_mcp.permissions.policy.yaml_reader import PolicyDocument

DEFAULT_PRINCIPAL = "test"


@dataclass(frozen=True, slots=True)
class CaseResult:
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
class CaseResults:
    """Every case of a file."""

    policy: str
    cases: tuple[CaseResult, ...]

    @property
    def failed(self) -> int:
        return sum(not case.passed for case in self.cases)


def run_cases(file: Path) -> CaseResults:
    """Decide every case of a file.

    Raises:
        PolicyError: the file, or the policy it names, is not sound.
    """
    document, catalogue = yaml_reader.read_document(file), load_catalogue()
    if not isinstance(document.value, dict):
        raise PolicyError(file, [PolicyFault(0, "empty")])
    faults = schema.schema_faults(document, schema.TEST_SCHEMA) or list(_faults(document, catalogue))
    if faults:
        raise PolicyError(file, faults)
    said = document.value
    policy = policy_file.load_policy(
        file.parent / said["policy"] if "policy" in said else policy_file.preset_path(said["mode"]), catalogue
    )
    results = (
        CaseResult(
            case["name"],
            document.line("cases", index),
            case["expect"],
            case.get("rule"),
            policy.decide(_case(case, catalogue)),
        )
        for index, case in enumerate(said["cases"])
    )
    return CaseResults(policy.name, tuple(results))


def result_lines(results: CaseResults, lang: Language) -> Iterator[str]:
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


def _case(said: dict[str, Any], catalogue: Catalogue) -> PolicyInput:
    principal = Principal(said.get("as", DEFAULT_PRINCIPAL), frozenset(said.get("groups", ())), said.get("claims", {}))
    operation, profile = catalogue.find(said["tool"]), said.get("profile", "default")
    return PolicyInput(operation, said.get("args", {}), principal, profile, said.get("target"), said.get("impact"))


def _faults(document: PolicyDocument, catalogue: Catalogue) -> Iterator[PolicyFault]:
    """What does not make sense: no policy, a name twice, a tool or an argument that does not exist."""
    if ("policy" in document.value) == ("mode" in document.value):
        yield PolicyFault(1, "which_policy")
    first: dict[str, int] = {}
    for index, case in enumerate(document.value["cases"]):
        where = schema.describe_place(document, ("cases", index))
        line = document.line("cases", index, "name")
        if case["name"] in first:
            yield PolicyFault(line, "case_name", {"first": str(first[case["name"]])}, where)
        first.setdefault(case["name"], line)
        try:
            operation = catalogue.find(case["tool"])
        except UnknownTool as error:
            what = "unknown_tool" if error.nearest else "unknown_tool_far"
            given = {"tool": case["tool"], "nearest": ", ".join(error.nearest)}
            yield PolicyFault(document.line("cases", index, "tool"), what, given, where)
            continue
        known = operation.input_schema.get("properties", {})
        for name in case.get("args", {}):
            if name not in known:
                given = {"tool": operation.tool, "key": name, "known": ", ".join(known) or "-"}
                yield PolicyFault(document.line("cases", index, "args", name), "argument", given, where)

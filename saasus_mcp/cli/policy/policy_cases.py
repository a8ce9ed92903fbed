"""Test a policy with cases: calls and the decisions that they must get."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saasus_mcp.catalog import Catalogue, UnknownTool, load_catalogue
from saasus_mcp.cli.policy.policy_explain import list_consent
from saasus_mcp.common.messages import Message, message
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.permissions.policy import schema, yaml_reader
from saasus_mcp.permissions.policy.errors import PolicyError, PolicyFault
from saasus_mcp.permissions.policy.model import Decision, ListConsent, Policy, PolicyInput, Principal
from saasus_mcp.permissions.policy.yaml_reader import PolicyDocument
from saasus_mcp.settings.environment import DEFAULT_PROFILE

DEFAULT_PRINCIPAL = "test"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The expected and the actual decision of a case, and how a person agrees to its calls in a list."""

    name: str
    line: int
    expected: str
    rule: str | None
    decision: Decision
    expected_in_list: ListConsent | None
    in_list: ListConsent

    @property
    def passed(self) -> bool:
        return self.decided_as_expected and self.expected_in_list in (None, self.in_list)

    @property
    def decided_as_expected(self) -> bool:
        return self.decision.outcome == self.expected and self.rule in (None, self.decision.rule)


@dataclass(frozen=True, slots=True)
class CaseResults:
    policy: str
    cases: tuple[CaseResult, ...]

    @property
    def failed(self) -> int:
        return sum(not case.passed for case in self.cases)


def run_cases(file: Path) -> CaseResults:
    """Decide every case in a file. Raise PolicyError if the file, or the policy that it names, has errors."""
    document, catalogue = yaml_reader.read_document(file), load_catalogue()
    if not isinstance(document.value, dict):
        raise PolicyError(file, [PolicyFault(0, "empty")])
    faults = schema.schema_faults(document, schema.TEST_SCHEMA) or list(_faults(document, catalogue))
    if faults:
        raise PolicyError(file, faults)
    content = document.value
    path = file.parent / content["policy"] if "policy" in content else policy_file.preset_path(content["mode"])
    policy = policy_file.load_policy(path, catalogue)
    results = (
        _run_case(case, document.line("cases", index), policy, catalogue) for index, case in enumerate(content["cases"])
    )
    return CaseResults(policy.name, tuple(results))


def _run_case(case: dict[str, Any], line: int, policy: Policy, catalogue: Catalogue) -> CaseResult:
    call = _policy_input(case, catalogue)
    decision = policy.decide(call)
    in_list = list_consent(policy, call.operation, decision, case.get("calls", 1))
    return CaseResult(case["name"], line, case["expect"], case.get("rule"), decision, case.get("in_list"), in_list)


def results_json(results: CaseResults) -> dict[str, Any]:
    cases = [
        {
            "name": case.name,
            "line": case.line,
            "passed": case.passed,
            "expected": case.expected,
            "expected_rule": case.rule,
            "decision": case.decision.outcome,
            "rule": case.decision.rule,
            "reason": str(case.decision.reason),
            "expected_in_list": case.expected_in_list,
            "in_list": case.in_list,
        }
        for case in results.cases
    ]
    return {"policy": results.policy, "ok": not results.failed, "failed": results.failed, "cases": cases}


def result_lines(results: CaseResults) -> Iterator[Message]:
    for case in results.cases:
        if case.passed:
            yield message("cli_policy.case_passed", name=case.name)
            continue
        if case.decided_as_expected:
            expected_in_list = case.expected_in_list or ""
            yield message(
                "cli_policy.case_failed_in_list",
                name=case.name,
                line=case.line,
                expected=expected_in_list,
                got=case.in_list,
            )
            continue
        decision = case.decision
        expected: str | Message = case.expected
        if case.rule:
            expected = message("cli_policy.outcome_by", outcome=case.expected, rule=case.rule)
        yield message(
            "cli_policy.case_failed",
            name=case.name,
            line=case.line,
            expected=expected,
            got=message("cli_policy.outcome_by", outcome=decision.outcome, rule=decision.rule),
            reason=decision.reason,
        )
    passed = len(results.cases) - results.failed
    yield message("cli_policy.case_summary", passed=passed, failed=results.failed, policy=results.policy)


def _policy_input(case: dict[str, Any], catalogue: Catalogue) -> PolicyInput:
    principal = Principal(case.get("as", DEFAULT_PRINCIPAL), frozenset(case.get("groups", ())), case.get("claims", {}))
    operation, profile = catalogue.find(case["tool"]), case.get("profile", DEFAULT_PROFILE)
    return PolicyInput(operation, case.get("args", {}), principal, profile, case.get("target"), case.get("impact"))


def _faults(document: PolicyDocument, catalogue: Catalogue) -> Iterator[PolicyFault]:
    """Yield the faults that the schema does not find: no policy, a duplicate name, an unknown tool or argument."""
    if ("policy" in document.value) == ("mode" in document.value):
        yield PolicyFault(1, "which_policy")
    first: dict[str, int] = {}
    for index, case in enumerate(document.value["cases"]):
        place = schema.describe_place(document, ("cases", index))
        line = document.line("cases", index, "name")
        if case["name"] in first:
            yield PolicyFault(line, "case_name", {"first": str(first[case["name"]])}, place)
        first.setdefault(case["name"], line)
        try:
            operation = catalogue.find(case["tool"])
        except UnknownTool as error:
            kind = "unknown_tool" if error.nearest else "unknown_tool_far"
            params = {"tool": case["tool"], "nearest": ", ".join(error.nearest)}
            yield PolicyFault(document.line("cases", index, "tool"), kind, params, place)
            continue
        known = operation.input_schema.get("properties", {})
        for name in case.get("args", {}):
            if name not in known:
                params = {"tool": operation.tool, "key": name, "known": ", ".join(known) or "-"}
                yield PolicyFault(document.line("cases", index, "args", name), "argument", params, place)

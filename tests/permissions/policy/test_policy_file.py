"""Policy files: valid ones, and every fault with its line and fix."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from jsonschema import Draft202012Validator

from saasus_mcp.catalog import Catalogue, Level
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.permissions.policy import schema
from saasus_mcp.permissions.policy.errors import PolicyError
from saasus_mcp.permissions.policy.model import BulkLimits, DecisionOutcome, PolicyInput, Principal
from saasus_mcp.permissions.policy.presets import PRESETS, UnsafeAllowAllPolicy
from saasus_mcp.permissions.policy.rules import RulePolicy, effect_words
from saasus_mcp.permissions.policy.yaml_reader import read_document
from saasus_mcp.settings.environment import Mode
from tests.support.faulty_policies import FAULTY_POLICIES, VALID_POLICY

ME = Principal("local:me")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "desk.yaml"


def load(file: Path, text: str | bytes, catalogue: Catalogue) -> RulePolicy:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    policy = policy_file.load_policy(file, catalogue)
    assert isinstance(policy, RulePolicy)
    return policy


# -- what loads --------------------------------------------------------------------------------------------------------


def test_a_file_is_read_as_it_is_written(file: Path, catalogue: Catalogue) -> None:
    policy = load(
        file,
        """\
version: 1
name: Support desk
announcement: on trial
groups: {support: ["local:*", oidc:hanako], one: local:a}
confirm_via: approval
two_person: true
ceilings: {destructive_per_hour: 5, writes_per_minute: 0}
bulk: {max_calls: 20, levels: [write, critical], critical_limit: 3}
rules:
  - name: off-boarding
    who: support
    tools: [auth.DeleteTenant, auth_get_*]
    profile: [production]
    when: >
      impact.users < 50 &&
      has(args.tenant_id)
    then: approve
    reason: A second look.
""",
        catalogue,
    )
    (rule,) = policy.rules
    assert (policy.name, policy.announcement, policy.confirm_via) == ("Support desk", "on trial", "approval")
    assert policy.two_person
    assert policy.groups == {"support": ("local:*", "oidc:hanako"), "one": ("local:a",)}
    assert policy.ceilings == {"destructive_per_hour": 5, "writes_per_minute": 0}
    assert policy.bulk == BulkLimits(max_calls=20, levels=("write", "critical"), critical_limit=3)
    assert (rule.name, rule.who, rule.then, rule.reason) == ("off-boarding", ("support",), "approve", "A second look")
    assert rule.tools == ("auth_delete_tenant", "auth_get_*")
    assert rule.profile == ("production",)
    assert rule.when == "impact.users < 50 && has(args.tenant_id)\n"


def test_a_file_without_a_name_is_called_after_itself(file: Path, catalogue: Catalogue) -> None:
    policy = load(file, VALID_POLICY, catalogue)
    assert (policy.name, policy.announcement, policy.ceilings, policy.two_person) == ("desk", "", {}, False)


@pytest.mark.parametrize(
    "text", ["\ufeff" + VALID_POLICY, VALID_POLICY.replace("\n", "\r\n"), "# first\n---\n" + VALID_POLICY]
)
def test_files_of_other_editors_load(file: Path, catalogue: Catalogue, text: str) -> None:
    assert load(file, text, catalogue).rules[0].name == "a"


def test_a_key_in_quotes_may_have_full_width_characters(file: Path) -> None:
    assert read_document(file, 'attributes: {"memo\uff1ax": 1, "\u3000": 2.5}'.encode()).value == {
        "attributes": {"memo\uff1ax": 1, "\u3000": 2.5}
    }


def test_everything_is_allowed_only_where_it_is_spelled_out_alone(file: Path) -> None:
    file.write_text("version: 1\nunsafe-allow-everything: true\n")
    assert policy_file.load_policy(file) == UnsafeAllowAllPolicy()


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "line", "said"), FAULTY_POLICIES, ids=range(len(FAULTY_POLICIES)))
def test_a_fault_has_its_line_and_its_fix_in_both_languages(
    file: Path, catalogue: Catalogue, text: str, line: int, said: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        load(file, text, catalogue)
    (fault,) = caught.value.faults
    assert fault.line == line
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{file}: line {line}: " if line else f"{file}: ")
    assert caught.value.hint
    japanese = fault.render(file, "ja")
    assert japanese.startswith(f"{file}: {line}行目: " if line else f"{file}: ")
    assert not {"{", "}"} & set(japanese.replace("{name", "").replace(str(file), "")) or "{" in text


def test_yaml_is_refused_alike_where_the_fast_parser_is_not_there(
    file: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    for text, line, said in FAULTY_POLICIES:
        with pytest.raises(PolicyError) as caught:
            load(file, text, catalogue)
        assert [fault.line for fault in caught.value.faults] == [line], text
        assert said in str(caught.value)
    assert load(file, VALID_POLICY, catalogue).rules[0].name == "a"


@pytest.mark.parametrize(
    ("raw", "line", "said"), [(b"version: 1\nname: \xff\n", 2, "not UTF-8"), (b"#" * (256 * 1024 + 1), 0, "256 KiB")]
)
def test_bytes_that_are_not_text_are_reported(
    file: Path, catalogue: Catalogue, raw: bytes, line: int, said: str
) -> None:
    with pytest.raises(PolicyError, match=said) as caught:
        load(file, raw, catalogue)
    assert caught.value.faults[0].line == line


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    for missing in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(PolicyError, match=r"cannot be read|not a regular file") as caught:
            policy_file.load_policy(missing)
        assert str(missing) in str(caught.value)


def test_all_faults_are_found_and_told_by_line(file: Path, catalogue: Catalogue) -> None:
    text = "version: 1\nnam: x\nrules:\n  - name: a\n    then: dny\n    levels: [reed]\n"
    with pytest.raises(PolicyError) as caught:
        load(file, text, catalogue)
    assert [fault.line for fault in caught.value.faults] == [2, 5, 6]
    assert "2 more" in str(caught.value)


def test_a_condition_that_some_tools_cannot_satisfy_is_noted(file: Path, catalogue: Catalogue) -> None:
    notes = {
        "args.tenant_id == 'x'": ["args.tenant_id"],
        "args['tenant_id'] == 'x'": ["args.tenant_id"],
        "has(args.tenant_id) && args.tenant_id == 'x'": [],
        "'tenant_id' in args && args['tenant_id'] == 'x'": [],
        "'tenantid' in principal.claims && 'tenantid' in [\"args['tenantid']\", r'x', \"\"]": [],
        "has(args.attributes.anything) || [{'no': 1}].exists(args, has(args.no))": ["args.attributes"],
        "target.id == 'x'": ["target"],
        "'args.nothing' == \"impact.users\" // principal.x": [],
    }
    for when, expected in notes.items():
        file.write_text(VALID_POLICY + f"    when: {json.dumps(when)}\n")
        _, found = policy_file.load_policy_with_notes(file, catalogue)
        assert [note.params["field"] for note in found] == expected
        assert all("always denied" in str(note.message) for note in found)


# -- the schema --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [schema.POLICY_SCHEMA, schema.TEST_SCHEMA])
def test_the_published_schema_is_one_and_describes_everything(name: str) -> None:
    schema = json.loads(Path(policy_file.__file__).with_name(name).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)

    def undescribed(node: Any, at: str) -> list[str]:
        fields = node.get("properties", {})
        found = [f"{at}/{key}" for key, field in fields.items() if not {"description", "$ref"} & field.keys()]
        return found + [item for key, field in fields.items() for item in undescribed(field, f"{at}/{key}")]

    assert undescribed(schema, "") == []
    assert [item for key, node in schema["$defs"].items() for item in undescribed(node, key)] == []


def test_the_schema_knows_the_words_of_the_catalogue(catalogue: Catalogue) -> None:
    table = json.loads(Path(policy_file.__file__).with_name(schema.POLICY_SCHEMA).read_text(encoding="utf-8"))
    known = table["$defs"]
    used = {word for operation in catalogue for word in effect_words(operation.effects)} - {"n/a"}
    assert set(known["module"]["enum"]) == {operation.module for operation in catalogue}
    assert tuple(known["level"]["enum"]) == get_args(Level)
    assert tuple(known["rule"]["properties"]["then"]["enum"]) == get_args(DecisionOutcome)
    assert set(known["effect"]["enum"]) == used


# -- presets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", get_args(Mode))
def test_a_preset_and_the_file_it_is_written_down_in_decide_alike(catalogue: Catalogue, mode: Mode) -> None:
    written = policy_file.load_policy(policy_file.preset_path(mode), catalogue)
    table = PRESETS[mode]
    assert (written.name, written.ceilings, written.two_person) == (table.name, table.ceilings, table.two_person)
    for operation in catalogue:
        case = PolicyInput(operation, {}, ME, "default")
        one, other = written.decide(case), table.decide(case)
        assert replace(one, reason=str(one.reason)) == replace(other, reason=str(other.reason))
        assert written.could_allow(operation, ME, "default") == table.could_allow(operation, ME, "default")
        assert written.required_state(operation, ME, "default") == table.required_state(operation, ME, "default")

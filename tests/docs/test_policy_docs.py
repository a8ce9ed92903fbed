"""The examples of docs/policy.md are files that load and decide as the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from saasus_mcp.catalog import Catalogue
from saasus_mcp.cli.policy import policy_cases
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.permissions.policy.budgets import DEFAULT_CEILINGS
from saasus_mcp.permissions.policy.model import DEFAULT_BULK, Policy, PolicyInput, Principal

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "policy.md").read_text(encoding="utf-8")
SCHEMA = Path(policy_file.__file__).with_name("policy.schema.json")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def examples(tmp_path: Path, catalogue: Catalogue) -> dict[str, Policy]:
    """Return the policies on the page, by name; each also as a file of that name."""
    found: dict[str, Policy] = {}
    for block in BLOCKS:
        written = yaml.safe_load(block)
        if "version" in written:
            file = tmp_path / f"{written.get('name', 'first')}.yaml"
            file.write_text(block, encoding="utf-8")
            policy, notes = policy_file.load_policy_with_notes(file, catalogue)
            assert notes == ()
            found[policy.name] = policy
    return found


def test_every_example_is_sound(examples: dict[str, Policy]) -> None:
    assert set(examples) == {
        "first",
        "support-desk",
        "billing-desk",
        "ci",
        "clerks",
        "careful",
        "two-person",
        "month-end",
    }


def _schema_keys() -> list[str]:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return sorted({*schema["properties"], *schema["$defs"]["rule"]["properties"]})


@pytest.mark.parametrize("page", ["policy.md", "policy.ja.md"])
@pytest.mark.parametrize("key", _schema_keys())
def test_the_page_describes_every_key_of_the_file(page: str, key: str) -> None:
    assert f"| `{key}` |" in (DOCS / page).read_text(encoding="utf-8")


def test_the_cases_on_the_page_pass(examples: dict[str, Policy], tmp_path: Path) -> None:
    assert "careful" in examples
    file = tmp_path / "cases.yaml"
    file.write_text(next(block for block in BLOCKS if "cases:" in block), encoding="utf-8")
    results = policy_cases.run_cases(file)
    assert [(case.name, case.passed) for case in results.cases] == [(case.name, True) for case in results.cases]


DECIDED: list[tuple[str, str, dict[str, str], Principal, str]] = [
    ("first", "auth_get_tenants", {}, Principal("a"), "allow"),
    ("first", "auth_delete_tenant", {}, Principal("a"), "deny"),
    ("first", "auth_create_tenant", {}, Principal("a"), "deny"),
    ("support-desk", "auth_reset_saas_user_password", {}, Principal("local:a"), "confirm"),
    ("support-desk", "auth_update_tenant_plan", {}, Principal("local:a"), "deny"),
    ("support-desk", "auth_get_tenants", {}, Principal("oidc:a"), "deny"),
    ("billing-desk", "auth_update_tenant_plan", {}, Principal("a", frozenset({"billing"})), "approve"),
    ("billing-desk", "pricing_delete_entire_price_list", {}, Principal("a", frozenset({"billing"})), "deny"),
    ("ci", "pricing_get_pricing_plans", {}, Principal("ci:1"), "allow"),
    ("ci", "auth_get_saas_users", {}, Principal("ci:1"), "deny"),
    ("clerks", "auth_get_tenant", {"tenant_id": "t1"}, Principal("a", frozenset({"clerks"}), {"tenants": ["t1"]}), "allow"),
    ("clerks", "auth_get_tenant", {"tenant_id": "t2"}, Principal("a", frozenset({"clerks"}), {"tenants": ["t1"]}), "deny"),
    ("clerks", "auth_get_tenant", {"tenant_id": "t1"}, Principal("a", frozenset({"clerks"})), "deny"),
    ("two-person", "auth_create_tenant", {}, Principal("a"), "approve"),
    ("two-person", "auth_delete_tenant", {}, Principal("a"), "deny"),
    ("month-end", "auth_update_tenant_plan", {}, Principal("a"), "approve"),
    ("month-end", "auth_delete_tenant", {}, Principal("a"), "deny"),
]  # fmt: skip


def test_the_examples_decide_as_the_page_says(examples: dict[str, Policy], catalogue: Catalogue) -> None:
    for name, tool, args, who, expected in DECIDED:
        case = PolicyInput(catalogue.find(tool), args, who, "production")
        assert examples[name].decide(case).outcome == expected, (name, tool)


@pytest.mark.parametrize("page", ["policy.md", "policy.ja.md"])
def test_the_default_limits_of_lists_are_shown(page: str) -> None:
    told = (DOCS / page).read_text(encoding="utf-8")
    for name in ("max_calls", "critical", "critical_limit"):
        [row] = [line for line in told.splitlines() if line.startswith(f"| `{name}` |")]
        assert row.rsplit("|", 2)[1].strip().strip("`") == str(getattr(DEFAULT_BULK, name))


@pytest.mark.parametrize("page", ["policy.md", "policy.ja.md"])
def test_the_default_ceilings_are_shown(page: str) -> None:
    told = (DOCS / page).read_text(encoding="utf-8")
    assert [f"{name}: {most}" for name, most in DEFAULT_CEILINGS.items() if f"`{name}: {most}`" not in told] == []

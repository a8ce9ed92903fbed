"""The policy cookbook: every file is sound, has cases, and decides as they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.cli.policy import policy_cases
from saasus_mcp.permissions.policy import file as policy_file

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "cookbook"
POLICIES = sorted(file for file in FOLDER.glob("*.yaml") if not file.name.endswith(".test.yaml"))


def test_the_cookbook_has_a_policy_for_each_of_its_desks() -> None:
    assert {file.stem for file in POLICIES} == {"analyst", "billing-desk", "ci", "support-desk", "two-person"}
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"({file.name})" in page and f"({file.stem}.test.yaml)" in page for file in POLICIES)


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_a_policy_is_sound_without_a_note(file: Path, catalogue: Catalogue) -> None:
    _, notes = policy_file.load_policy_with_notes(file, catalogue)
    assert notes == ()


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_a_policy_decides_as_its_cases_say(file: Path) -> None:
    results = policy_cases.run_cases(file.with_suffix(".test.yaml"))
    assert [(case.name, case.passed) for case in results.cases if not case.passed] == []
    assert len(results.cases) >= 5
    assert {"deny"} < {case.expected for case in results.cases}

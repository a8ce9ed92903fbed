"""jobs.yaml compiles only if it fits the operations, and each job has its code."""

from __future__ import annotations

import json
import re
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest
import yaml

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.jobs import JobSpec, load_jobs
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.jobs.job_kind import load_kind
from saasus_mcp.saasus import validation
from scripts.catalogue import jobs
from scripts.catalogue.spec_file import SpecError

SOUND: dict[str, Any] = {
    "title": {"en": "T", "ja": "T"},
    "description": {"en": "D", "ja": "D"},
    "terse": "Do it.",
    "reads": ["auth.GetRoles"],
    "writes": ["auth.CreateRole"],
    "input": {"properties": {}},
}
LEVELS = {"auth.GetRoles": "read", "auth.CreateRole": "write"}


def compile_job(folder: Path, name: str = "job_x", **changed: Any) -> str:
    file = folder / "jobs.yaml"
    file.write_text(yaml.safe_dump({name: {**SOUND, **changed}}), encoding="utf-8")
    return jobs.compile_jobs(file, LEVELS, 40)


@pytest.mark.parametrize("given", [{}, {"properties": {"a": {"type": "string"}}}], ids=["no arguments", "arguments"])
def test_a_sound_job_compiles_and_refuses_arguments_that_it_does_not_declare(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    schema = json.loads(compile_job(tmp_path, input=given))["jobs"][0]["input_schema"]
    assert schema["properties"] == {**given.get("properties", {}), "reason": schema["properties"]["reason"]}
    with pytest.raises(InvalidArguments, match="no such field"):
        validation.validate_schema(schema, {"undeclared": 1})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "export"}, "begins with job_"),
        ({"name": "job_" + "x" * 40}, "at most 40"),
        ({"reads": ["auth.Nothing"]}, "no document has this operation"),
        ({"reads": ["auth.CreateRole"]}, "does more than read"),
        ({"writes": ["auth.GetRoles"]}, "only reads"),
        ({"title": {"en": "T"}}, "title.ja is missing"),
        ({"input": {"properties": 3}}, "input:"),
        ({"colour": "red"}, "colour is unknown"),
        ({"terse": None}, r"jobs.yaml:\d+: .*terse is None, not a text"),
    ],
)
def test_a_job_that_does_not_fit_does_not_compile(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        compile_job(tmp_path, **changed)


def test_every_job_that_is_listed_has_its_code_and_known_operations(catalogue: Catalogue) -> None:
    for job in load_jobs():
        module = load_kind(job.name)
        assert iscoroutinefunction(module.plan)
        assert iscoroutinefunction(module.run)
        assert all(catalogue.find(key).reads for key in job.reads)
        assert job.writes_any or not any(catalogue.find(key).reads for key in job.writes)


@pytest.mark.parametrize("job", load_jobs(), ids=lambda job: job.name)
def test_no_sentence_in_japanese_is_broken_by_a_space_of_its_source(job: JobSpec) -> None:
    """YAML joins the lines of a folded block with spaces, which Japanese does not use."""
    assert re.findall(r"[ぁ-んァ-ヶ一-龥、。] [ぁ-んァ-ヶ一-龥0-9]", job.description.ja) == []

"""Read tool_specs/jobs.yaml and check it against the operations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, SchemaError

from saasus_mcp.catalog.jobs import ANY_WRITE, JOB_PREFIX
from saasus_mcp.catalog.levels import READ_LEVELS
from saasus_mcp.catalog.model import REASON_ARGUMENT, REASON_SCHEMA
from saasus_mcp.common.json_bytes import compact_json
from scripts.catalogue.spec_file import BOTH, TEXT, TEXTS, SpecError, mapping, mapping_of, read_yaml

_FORM = mapping_of(
    mapping(
        {
            "title": BOTH,
            "description": BOTH,
            "terse": TEXT,
            "reads": TEXTS,
            "writes": {"type": ["string", "array"], "items": TEXT},
            "input": {"type": "object"},
            "instead_of": TEXTS,
            "for_people": {"type": "boolean"},
        },
        required=("title", "description", "terse", "reads", "writes", "input"),
    )
)


def compile_jobs(file: Path, levels: Mapping[str, str], max_name_length: int) -> str:
    """Return the jobs as JSON text, one a line.

    Args:
        levels: the level of each operation, by key.

    Raises:
        SpecError: a job is invalid.
    """
    table: dict[str, Any] = read_yaml(file, _FORM)
    lines = ",\n".join(compact_json(_row(name, job, levels, max_name_length)) for name, job in table.items())
    return f'{{"jobs":[\n{lines}\n]}}\n'


def _row(name: str, job: Mapping[str, Any], levels: Mapping[str, str], max_name_length: int) -> dict[str, Any]:
    for problem in _problems(name, job, levels, max_name_length):
        raise SpecError(f"jobs.yaml: {name}: {problem}")
    schema = {"type": "object", "properties": {}, **job["input"]}
    if job["writes"]:
        schema["properties"] = {**schema["properties"], REASON_ARGUMENT: REASON_SCHEMA}
    described = {
        key: {language: text.strip() for language, text in job[key].items()} for key in ("title", "description")
    }
    return {
        "name": name,
        **described,
        "terse": job["terse"],
        "reads": job["reads"],
        "writes": list(ANY_WRITE) if job["writes"] == ANY_WRITE[0] else job["writes"],
        "input_schema": schema,
        **({"for_people": True} if job.get("for_people") else {}),
        "instead_of": job.get("instead_of", []),
    }


def _problems(name: str, job: Mapping[str, Any], levels: Mapping[str, str], max_name_length: int) -> list[str]:
    if not name.startswith(JOB_PREFIX) or len(name) > max_name_length:
        return [f"a job's name begins with {JOB_PREFIX} and has at most {max_name_length} characters"]
    writes = () if job["writes"] == ANY_WRITE[0] else job["writes"]
    problems = [f"{key}: no document has this operation" for key in (*job["reads"], *writes) if key not in levels]
    problems += [f"{key} does more than read" for key in job["reads"] if levels.get(key) not in READ_LEVELS]
    problems += [f"{key} only reads" for key in writes if levels.get(key) in READ_LEVELS]
    problems += [f"instead_of: {key} is not a write of it" for key in job.get("instead_of", ()) if key not in writes]
    try:
        Draft202012Validator.check_schema(job["input"])
    except SchemaError as error:
        problems.append(f"input: {error.message}")
    return problems

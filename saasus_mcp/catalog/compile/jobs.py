"""The table of jobs, checked against the operations that they call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, SchemaError

from saasus_mcp.catalog.model import REASON_SCHEMA

FIELDS = {"title", "description", "terse", "reads", "writes", "input"}
PREFIX = "job_"


def compile_jobs(file: Path, levels: Mapping[str, str], longest_name: int) -> str:
    """The jobs as JSON text, one a line.

    Args:
        levels: the level of each operation, by key.

    Raises:
        SystemExit: a job does not fit its form or the operations.
    """
    table: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    lines = ",\n".join(
        json.dumps(_row(name, job, levels, longest_name), ensure_ascii=False, separators=(",", ":"))
        for name, job in table.items()
    )
    return f'{{"jobs":[\n{lines}\n]}}\n'


def _row(name: str, job: Mapping[str, Any], levels: Mapping[str, str], longest_name: int) -> dict[str, Any]:
    for misfit in _misfits(name, job, levels, longest_name):
        raise SystemExit(f"jobs.yaml: {name}: {misfit}")
    schema = {"type": "object", "properties": {}, **job["input"]}
    if job["writes"]:
        schema["properties"] = {**schema["properties"], "reason": REASON_SCHEMA}
    described = {
        key: {language: text.strip() for language, text in job[key].items()} for key in ("title", "description")
    }
    return {
        "name": name,
        **described,
        "terse": job["terse"],
        "reads": job["reads"],
        "writes": job["writes"],
        "input_schema": schema,
    }


def _misfits(name: str, job: Mapping[str, Any], levels: Mapping[str, str], longest_name: int) -> list[str]:
    if not name.startswith(PREFIX) or len(name) > longest_name:
        return [f"a job's name begins with {PREFIX} and has at most {longest_name} characters"]
    if job.keys() != FIELDS:
        return [f"its fields are {sorted(FIELDS)}, not {sorted(job)}"]
    found = [f"{key}: no document has this operation" for key in (*job["reads"], *job["writes"]) if key not in levels]
    reading = {"read", "read_sensitive"}
    found += [f"{key} does not merely read" for key in job["reads"] if levels.get(key) not in reading]
    found += [f"{key} merely reads" for key in job["writes"] if levels.get(key) in reading]
    found += [
        f"{field} is in both languages" for field in ("title", "description") if job[field].keys() != {"en", "ja"}
    ]
    try:
        Draft202012Validator.check_schema(job["input"])
    except SchemaError as error:
        found.append(f"input: {error.message}")
    return found

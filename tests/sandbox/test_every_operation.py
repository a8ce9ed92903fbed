"""Every operation of the API answers, with the status and the fields that the documents promise."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from saasus_mcp.catalog import Catalogue, Operation, load_catalogue
from scripts.story import FIRST, values_for
from tests.support.sandbox import SandboxCaller

SPECS = Path(__file__).parents[2] / "tool_specs"


@cache
def documented(module: str) -> Any:
    return yaml.safe_load((SPECS / f"{module}.yaml").read_text(encoding="utf-8"))


def promised(operation: Operation, status: int) -> dict[str, Any] | None:
    """Return the schema of the answer as the documents have it, required fields included; None for an empty answer."""
    document = documented(operation.module)
    path = operation.path.removeprefix(f"/v1/{operation.module}")
    answer = document["paths"][path][operation.method.lower()]["responses"][str(status)]
    schema = answer.get("content", {}).get("application/json", {}).get("schema")
    return schema and {**schema, "components": document["components"]}


@pytest.mark.slow
@pytest.mark.parametrize("key", [operation.key for operation in load_catalogue()])
async def test_an_operation_answers_what_the_documents_promise(
    key: str, catalogue: Catalogue, api: SandboxCaller
) -> None:
    operation = catalogue.find(key)
    if key in FIRST:
        before, special = FIRST[key]
        await api.read(before, **{**values_for(catalogue.find(before)), **special})

    answered = await api(key, **values_for(operation))

    assert answered.status in operation.statuses, answered
    assert answered.status < 300, answered
    schema = promised(operation, answered.status)
    if schema is None:
        assert answered.value is None
    else:
        Draft202012Validator(schema).validate(answered.value)
        Draft202012Validator(operation.output_schema).validate(answered.value)


async def test_every_read_of_the_whole_saas_has_something_to_show(api: SandboxCaller) -> None:
    for operation in api.catalogue:
        answer = operation.output_schema["properties"]
        if operation.reads and not operation.input_schema.get("required") and "applied" not in answer:
            value = await api.read(operation.key)
            assert all(value[name] for name, schema in answer.items() if schema.get("type") == "array"), operation.key

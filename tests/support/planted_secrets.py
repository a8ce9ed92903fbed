"""Markers wherever a secret can be: in arguments, in answers, in logged bodies, in errors that repeat arguments."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.catalog import Operation
from tests.support.arguments import complete_arguments
from tests.support.pipeline import sample_value

LOOKS_SECRET = ("client_secret", "password", "api_key", "refresh_token", "accessToken", "private_key", "session")


@dataclass
class PlantedSecrets:
    """One operation with a marker of its own in each secret field.

    Attributes:
        given, answered, stray: markers in arguments, in declared secret fields of the answer, and elsewhere in it.
    """

    operation: Operation
    arguments: dict[str, Any]
    answer: Any
    given: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)

    @property
    def markers(self) -> list[str]:
        return [*self.given, *self.answered, *self.stray]


def plant_secrets(operation: Operation) -> PlantedSecrets:
    """Plant a marker in every secret field of an operation."""
    made = PlantedSecrets(
        operation, complete_arguments(operation), copy.deepcopy(sample_value(operation.output_schema))
    )
    for path in operation.secret_inputs:
        made.arguments = _walk(made.arguments, _steps(path), lambda node: _fill(node, made, made.given, "in"))
    for path in operation.secret_outputs:
        made.answer = _walk(made.answer, _steps(path), lambda node: _fill(node, made, made.answered, "out"))
    for path in operation.scrubbed_outputs:
        made.answer = _walk(made.answer, _steps(path), lambda _: _logged(made))
    if operation.answers:
        made.answer |= _undeclared(made, operation.output_schema["properties"])
    return made


def _marker(made: PlantedSecrets, into: list[str], where: str) -> str:
    into.append(f"MARK-{made.operation.operation_id}-{where}-{len(into)}-hush")
    return into[-1]


def _fill(node: Any, made: PlantedSecrets, into: list[str], where: str) -> Any:
    if isinstance(node, dict):
        return {name: _fill(item, made, into, where) for name, item in node.items()}
    if isinstance(node, list):
        return [_fill(item, made, into, where) for item in node]
    return _marker(made, into, where)


def _logged(made: PlantedSecrets) -> str:
    """Return a logged body: JSON with secrets at several depths."""
    password, token, key = (_marker(made, made.stray, "log") for _ in range(3))
    return json.dumps({"password": password, "user": {"access_token": token, "name": "x"}, "keys": [{"apiKey": key}]})


def _undeclared(made: PlantedSecrets, declared: dict[str, Any]) -> dict[str, Any]:
    """Return fields that no document declares, with names of secrets."""
    fields: dict[str, Any] = {name: _marker(made, made.stray, "extra") for name in LOOKS_SECRET if name not in declared}
    inner = {name: _marker(made, made.stray, "inner") for name in LOOKS_SECRET}
    return {**fields, "undeclared": {**inner, "list": [{**inner}], "credentials": {"user": inner["password"]}}}


def _steps(path: str) -> list[str]:
    return path.replace("[]", ".[]").replace("{}", ".{}").split(".")


def _walk(node: Any, steps: list[str], plant: Any) -> Any:
    if not steps:
        return plant(node)
    if steps[0] == "[]":
        return [_walk(item, steps[1:], plant) for item in node]
    if steps[0] == "{}":
        return {name: _walk(item, steps[1:], plant) for name, item in node.items()}
    return {**node, steps[0]: _walk(node[steps[0]], steps[1:], plant)}

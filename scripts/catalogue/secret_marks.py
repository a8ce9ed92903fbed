"""Compare the secrets in effects.yaml with the marks in the documents. Both must name the same paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saasus_mcp.catalog.openapi_summary import SchemaNode
from scripts.catalogue.documents import SourceOperation

_COMPARED = (
    ("secrets_in", "secret_inputs", "x-secret-in: true"),
    ("secrets_out", "secret_outputs", "x-secret: true"),
    ("scrub_out", "scrubbed_outputs", "x-secret: scrub"),
)
"""A key of effects.yaml, the key in the compiled row, and the mark in the document."""
_MARK_VALUES: dict[str, tuple[object, ...]] = {"x-secret": (True, "scrub"), "x-secret-in": (True,)}
"""The marks and their valid values."""


def find_mark_differences(source: SourceOperation, effects: dict[str, Any], row: dict[str, Any]) -> Iterator[str]:
    """Yield the differences between effects.yaml and the document of one operation, as sentences with path and files.

    Args:
        effects: the operation's row of effects.yaml.
        row: its compiled row, with the paths of the document's marks.
    """
    document = f"{source.module}.yaml"
    for key, compiled, mark in _COMPARED:
        listed, marked = effects.get(key, []), row[compiled]
        for path in sorted(set(listed) - set(marked)):
            yield f"{path} is in {key} of effects.yaml, and {document} has no `{mark}` there"
        for path in sorted(set(marked) - set(listed)):
            yield f"{path} has `{mark}` in {document}, and is not in {key} of effects.yaml"
        for path in sorted({path for path in listed if listed.count(path) > 1}):
            yield f"{path} is twice in {key} of effects.yaml"
    yield from _ignored_marks(source.node, document, row)


def _ignored_marks(node: SchemaNode, document: str, row: dict[str, Any]) -> Iterator[str]:
    """Yield the marks that are misspelt, or that stand where the compiler ignores them."""
    used = {
        "x-secret-in": {_last_name(path) for path in row["secret_inputs"]},
        "x-secret": {_last_name(path) for path in (*row["secret_outputs"], *row["scrubbed_outputs"])},
    }
    in_request = [*_marks(node.get("parameters", []), ""), *_marks(node.get("requestBody", {}), "")]
    # A schema shared by a body and an answer has the marks of both.
    marks = [mark for mark in in_request if mark[1] != "x-secret"]
    marks += [mark for mark in _marks(node["responses"], "") if mark[1] != "x-secret-in"]
    marks += [mark for mark in _marks(node.get("parameters", []), "") if mark[1] == "x-secret"]
    for name, key, value in marks:
        if (
            key not in _MARK_VALUES
            or value is False
            or not any(value is known or value == known for known in _MARK_VALUES[key])
        ):
            yield f"{name} has `{key}: {value}` in {document}, which is an unknown mark"
        elif name not in used[key]:
            yield f"{name} has `{key}` in {document} where it has no effect"


def _last_name(path: str) -> str:
    return path.rsplit(".", 1)[-1].rstrip("[]{}")


def _marks(node: Any, name: str) -> Iterator[tuple[str, str, object]]:
    """Yield every mark below a node, with the name of its field or parameter."""
    if isinstance(node, list):
        for item in node:
            yield from _marks(item, name)
    elif isinstance(node, dict):
        name = node["name"] if isinstance(node.get("name"), str) and "in" in node else name
        yield from ((name, key, value) for key, value in node.items() if key.lower().startswith("x-secret"))
        for key, value in node.items():
            if key == "properties" and isinstance(value, dict):
                for field, schema in value.items():
                    yield from _marks(schema, field)
            elif key not in ("examples", "example", "default", "enum"):
                yield from _marks(value, name)

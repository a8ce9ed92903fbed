"""Read a YAML file of specifications. A key that is there twice, and a value of another form, are errors with file and line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

Form = dict[str, Any]
"""A JSON schema of the content of a file."""
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_SHOWN = 60
_Path = list[str | int]

TEXT: Form = {"type": "string"}
TEXTS: Form = {"type": "array", "items": TEXT}


class SpecError(Exception):
    """A file of specifications is invalid. The text names the file, and the line or the entry."""


def mapping(fields: Form, required: Iterable[str] = ()) -> Form:
    """Return the form of a mapping with these fields and no others."""
    return {"type": "object", "properties": fields, "required": [*required], "additionalProperties": False}


def mapping_of(values: Form) -> Form:
    """Return the form of a mapping with any keys."""
    return {"type": "object", "additionalProperties": values}


BOTH: Form = mapping({"en": TEXT, "ja": TEXT}, required=("en", "ja"))
"""A text in both languages."""


def read_yaml(file: Path, form: Form | None = None) -> Any:
    """Return the content of a file.

    Raises:
        SpecError: it is not YAML, a mapping has a key twice, or the content does not have the form.
    """
    loader = _Loader(file.read_text(encoding="utf-8"))
    try:
        root = loader.get_single_node()
        _require_unique_keys(root, file)
        content = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"{file.name}:{line}: {error.problem or error.context}.") from None
    finally:
        loader.dispose()
    for path, problem in _form_errors(content, form or {}):
        raise SpecError(f"{file.name}:{_line(root, path)}: {problem}.")
    return content


def find_form_problems(content: object, form: Form) -> list[str]:
    """Return the differences between a value and its form as sentences."""
    return [problem for _, problem in _form_errors(content, form)]


def _require_unique_keys(root: Any, file: Path) -> None:
    nodes, seen = [root], set[int]()
    while nodes:
        node = nodes.pop()
        if id(node) in seen:
            continue  # an alias
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            lines: dict[tuple[str, str], int] = {}
            for key, value in node.value:
                line, name = key.start_mark.line + 1, (key.tag, str(key.value))
                if name in lines:
                    raise SpecError(f"{file.name}:{line}: the key {key.value} is also in line {lines[name]}.")
                lines[name] = line
                nodes.append(value)


def _form_errors(content: object, form: Form) -> Iterator[tuple[_Path, str]]:
    """Yield the path and the sentence of each difference."""
    seen = set[str]()
    for error in Draft202012Validator(form).iter_errors(content):
        for path, problem in _problems(error, [*error.absolute_path]):
            if problem not in seen:
                seen.add(problem)
                yield path, problem


def _problems(error: ValidationError, path: _Path) -> Iterator[tuple[_Path, str]]:
    found: Any = error.instance
    expected: Any = error.validator_value
    schema: Any = error.schema
    match error.validator:
        case "required":
            yield from ((path, f"{_place([*path, name])} is missing") for name in expected if name not in found)
        case "additionalProperties":
            unknown = [[*path, name] for name in found if name not in schema.get("properties", {})]
            yield from ((place, f"{_place(place)} is unknown") for place in unknown)
        case "type":
            yield path, f"{_place(path)} is {repr(found)[:_MAX_SHOWN]}, not {_kinds(expected)}"
        case _:
            yield path, f"{_place(path)} is {repr(found)[:_MAX_SHOWN]}"


def _kinds(types: str | list[str]) -> str:
    names = {"object": "a mapping", "array": "a list", "string": "a text", "boolean": "true or false"}
    return " or ".join(names.get(each, each) for each in ([types] if isinstance(types, str) else types))


def _place(path: _Path) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "the content"


def _line(root: Any, path: _Path) -> int:
    """Return the line of a value, or of its nearest parent."""
    line, node = 1, root
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line

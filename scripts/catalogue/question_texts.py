"""Read tool_specs/confirmations.yaml and refuse questions without texts."""

from __future__ import annotations

import json
import string
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from saasus_mcp.catalog.levels import READ_LEVELS
from saasus_mcp.common.json_bytes import compact_json
from scripts.catalogue.recipes import invalid_expressions
from scripts.catalogue.spec_file import TEXT, TEXTS, SpecError, mapping, mapping_of, read_yaml

Row = dict[str, Any]

VALUES = frozenset(
    [
        "text",
        "long",
        "file",
        "secret",
        "url",
        "flag",
        "choice",
        "number",
        "percent",
        "code",
        "money",
        "moment",
        "day",
        "tiers",
        "pairs",
        "prices",
        "usage",
    ]
)
"""The kinds of values, besides the id of a record."""
_FIELD_KEYS = frozenset({"en", "ja", "is", "currency", "words", "yes", "no", "unit", "choices", "pairs", "keys"})
_LINES = {"type": "array", "items": mapping({"en": TEXT, "ja": TEXT, "when": TEXT}, required=("en", "ja"))}
_FIELDS = mapping_of({"type": "object"})
_ROW = mapping(
    {"ask": _LINES, "lead": TEXTS, "show": TEXTS, "hide": TEXTS, "fields": _FIELDS, "warn": _LINES}
    | {"relabel": mapping_of(_LINES)}
)
_AMONG = mapping(
    {"read": TEXT, "args": mapping_of(TEXT), "items": TEXT, "id": TEXT, "name": TEXTS},
    required=("read", "items", "id", "name"),
)
_KIND = mapping(
    {"read": TEXT, "also": TEXTS, "args": mapping_of(TEXT), "name": TEXT, "among": _AMONG}, required=("read", "name")
)
_FORM = mapping(
    {"kinds": mapping_of(_KIND), "fields": _FIELDS, "measures": _FIELDS, "rows": mapping_of(_ROW)},
    required=("kinds", "fields", "measures", "rows"),
)
_CONDITION = ("args", "before", "impact", "now", "target")
_NAME = ("args", "id", "result")


def compile_question_texts(file: Path, operations: Iterable[Row]) -> str:
    """Return confirmations.yaml as JSON text, one operation a line.

    Raises:
        SpecError: a text is missing, or a key is unknown.
    """
    table: Row = read_yaml(file, _FORM)
    table |= {part: {name: _field(row) for name, row in table[part].items()} for part in ("fields", "measures")}
    rows = {
        key: {**row, "fields": {name: _field(each) for name, each in row["fields"].items()}} if "fields" in row else row
        for key, row in table["rows"].items()
    }
    table["rows"] = rows
    for problem in find_problems(table, list(operations)):
        raise SpecError(f"confirmations.yaml: {problem}.")
    head = {"kinds": table["kinds"]} | {part: _shown_fields(table[part]) for part in ("fields", "measures")}
    lines = ",\n".join(f"{json.dumps(key)}:{compact_json(_shown_row(row))}" for key, row in rows.items())
    return f'{compact_json(head)[:-1]},"rows":{{\n{lines}\n}}}}\n'


def _shown_row(row: Row) -> Row:
    """Return a row in the form of `QuestionRecipe`."""
    lines: Row = {part: list(map(_shown_line, row[part])) for part in ("ask", "warn") if part in row}
    relabel = {name: list(map(_shown_line, each)) for name, each in row.get("relabel", {}).items()}
    return {**row, **lines, "fields": _shown_fields(row.get("fields", {})), "relabel": relabel}


def _shown_line(line: Row) -> Row:
    return {"text": {"en": line["en"], "ja": line["ja"]}, "when": line.get("when", "")}


def _shown_fields(rows: Mapping[str, Row]) -> dict[str, Row]:
    """Return fields in the form of `FieldText`."""
    return {
        name: {
            **{key: value for key, value in row.items() if key not in ("en", "ja", "is")},
            **({"label": {"en": row["en"], "ja": row["ja"]}} if "en" in row else {}),
            "kind": row.get("is", "text"),
        }
        for name, row in rows.items()
    }


def find_problems(table: Row, operations: list[Row]) -> Iterator[str]:
    """Yield the problems of confirmations.yaml as sentences."""
    kinds = VALUES | set(table["kinds"])
    asked = {row["key"]: row for row in operations if row["effects"]["level"] not in READ_LEVELS}
    for name, kind in table["kinds"].items():
        yield from _invalid_expressions(f"kinds.{name}", kind.get("args", {}).values(), ("args", "id"))
        yield from _invalid_expressions(f"kinds.{name}", [kind["name"]], _NAME)
        among = kind.get("among", {})
        yield from _invalid_expressions(f"kinds.{name}.among", among.get("args", {}).values(), ("args",))
        if among and not _lists(among, operations):
            yield f"kinds.{name}.among: {among['read']} does not answer with {among['items']} that have these fields"
    for name, field in table["fields"].items():
        yield from _field_problems(f"fields.{name}", field, kinds)
    for name, measure in table["measures"].items():
        if measure.get("is", "text") not in kinds:
            yield f"measures.{name} is {measure['is']!r}"
    for key in sorted(set(asked) ^ set(table["rows"])):
        yield f"{key} has no row" if key in asked else f"rows.{key} is not an operation with a question"
    for key, row in table["rows"].items():
        yield from _row_problems(key, row, asked[key], kinds)
        own = {*row.get("fields", {}), *table["fields"]}
        for path in _paths(asked[key]["input_schema"]):
            if path not in own and path.rsplit(".", 1)[-1] not in own:
                yield f"{key}: the argument {path} has no text under fields"


def _lists(among: Row, operations: Iterable[Row]) -> bool:
    """Return whether the answer of the read has the list, and its items the fields."""
    answers: Row = next((row["output_schema"] for row in operations if row["key"] == among["read"]), {})
    item = answers.get("properties", {}).get(among["items"], {}).get("items", {}).get("properties", {})
    return {among["id"], *among["name"]} <= set(item)


def _row_problems(key: str, row: Row, operation: Row, kinds: set[str] | frozenset[str]) -> Iterator[str]:
    arguments = set(operation["input_schema"]["properties"])
    measures = set(operation["effects"].get("impact", {}))
    known = arguments | measures | {"target", "changes"}
    for name, field in row.get("fields", {}).items():
        yield from _field_problems(f"{key}.fields.{name}", field, kinds)
    relabelled = row.get("relabel", {})
    for name in (*row.get("lead", ()), *row.get("show", ()), *row.get("hide", ()), *relabelled):
        if name not in known:
            yield f"{key}: {name!r} is neither an argument nor a metric"
    if not row.get("ask") or row["ask"][-1].get("when"):
        yield f"{key}.ask has no headline without a condition at its end"
    for line in (*row.get("ask", ()), *row.get("warn", ()), *(line for each in relabelled.values() for line in each)):
        for text in (line["en"], line["ja"]):
            used = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
            yield from (f"{key}: {{{name}}} is unknown" for name in sorted(used - known))
        yield from _invalid_expressions(key, [line["when"]] if "when" in line else [], _CONDITION)


def _field_problems(place: str, field: Row, kinds: set[str] | frozenset[str]) -> Iterator[str]:
    yield from (f"{place}.{name} is unknown" for name in sorted(set(field) - _FIELD_KEYS))
    if not (field.get("en") and field.get("ja")):
        yield f"{place} lacks a language"
    if field.get("is", "text") not in kinds or field.get("keys", "text") not in kinds:
        yield f"{place} is {field.get('is')!r} or has keys that are {field.get('keys')!r}"
    if field.get("is") in ("flag", "choice") and not field.get("choices"):
        yield f"{place} has no labels for its values"
    if (field.get("is") == "pairs") != (len(field.get("pairs", ())) == len(("name", "value"))):
        yield f"{place} does not name the two fields of a pair"


def _field(row: Row) -> Row:
    """Return the text of one field. YAML parses bare `yes` and `no` as booleans, in keys, too."""
    row = {_key(name): item for name, item in row.items()}
    choices = {_value(name): words for name, words in row.pop("words", {}).items()}
    if "yes" in row or "no" in row:
        choices = {"true": row.pop("yes"), "false": row.pop("no")}
    return {**row, "choices": choices} if choices else row


def _key(name: object) -> str:
    return ("yes" if name else "no") if isinstance(name, bool) else str(name)


def _value(name: object) -> str:
    return str(name).lower() if isinstance(name, bool) else str(name)


def _paths(schema: Mapping[str, Any], place: str = "") -> Iterator[str]:
    for name, item in schema.get("properties", {}).items():
        path = f"{place}.{name}" if place else name
        yield path
        yield from _paths(item, path)
        if isinstance(item.get("items"), dict):
            yield from _paths(item["items"], path)


def _invalid_expressions(place: str, texts: Iterable[Any], names: tuple[str, ...]) -> Iterator[str]:
    return (f"{place}: {problem}" for problem in invalid_expressions(texts, names))

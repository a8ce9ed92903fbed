"""Check the recipes against the documents: every read exists, only reads, gets its arguments, and answers the selected fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from saasus_mcp.catalog.levels import READ_LEVELS
from saasus_mcp.common.json_path import Schema, main_branch
from scripts.catalogue.recipe_defaults import Operations, Row, shown_arguments
from scripts.catalogue.recipes import APPLIED, is_valid_expression

_NOT_FOUND = 404
_STATUS = re.compile(r"(?<![\w.])status\b")
_TEXT = re.compile(r'"[^"]*"')
_SELECTION = re.compile(r"(?<![\w.])([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*(?![\w(])|\[[^\[\]]*\])*)")
_STEP = re.compile(r"\.(\w+)|\[")
_MACRO = re.compile(r"\.(?:filter|map|exists|all|exists_one)\(\s*(\w+)\s*,")
_ANYTHING: Schema = {}


def find_unknown_references(row: Row, operations: Operations) -> Iterator[str]:
    """Yield the operations and lists that a row names and that do not exist. Its recipes can only be completed without any."""
    effects = row["effects"]
    for place in ("target", "diff", "verify"):
        recipe = effects.get(place)
        if not isinstance(recipe, dict) or "read" not in recipe:
            continue
        if recipe["read"] not in operations:
            yield f"{place} reads {recipe['read']}, which does not exist"
            continue
        try:
            shown_arguments(recipe, operations)
        except KeyError:
            yield f"{place}.pick.from: {recipe['read']} answers with no list {recipe['pick']['from']}"
    undo = effects.get("undo", {})
    for call in [each["call"] for each in (undo, *undo.get("also", ())) if "call" in each]:
        if call != "again" and call not in operations:
            yield f"undo calls {call}, which does not exist"


def find_misfits(row: Row, operations: Operations) -> Iterator[str]:
    """Yield the contradictions between the completed recipes of a row and the documents, as sentences."""
    effects = row["effects"]
    known = {"args": row["input_schema"], "target": _answer_schema(effects.get("target"), operations)}
    before = _answer_schema(effects.get("diff"), operations) or known["target"]
    if effects.get("target", {}).get("read"):
        yield from _check_read("target", effects["target"], known, operations)
        yield from _check_selections(effects.get("bind", ()), {**known, "before": before})
        yield from _check_selections([effects["target"].get("name", "")], known)
    for requirement in effects.get("requires", ()):
        yield from _check_requirement(row, requirement, known, operations)
    for name, measure in effects.get("impact", {}).items():
        yield from _check_metric(f"impact.{name}", measure, known, operations)
    if "diff" in effects:
        diff = effects["diff"]
        yield from _check_read("diff", diff, known, operations) if "read" in diff else ()
        yield from _check_selections(diff["now"].values(), {**known, "result": before})
        yield from (f"diff.now.{name} is not an argument" for name in diff["now"] if name not in _properties(row))
    if "verify" in effects:
        verify = effects["verify"]
        yield from _check_read("verify", verify, known, operations)
        yield from (
            () if is_valid_expression(verify["applied"], APPLIED) else (f"{verify['applied']!r} is not an expression",)
        )
        yield from _check_selections(
            [verify["applied"]], {**known, "result": _answer_schema(verify, operations), "before": before}
        )
        yield from _check_status("verify", verify["applied"], verify["read"], operations)
    if "call" in effects.get("undo", {}):
        yield from _check_undo(row, {**known, "before": before, "result": row["output_schema"]}, operations)


def _check_requirement(row: Row, recipe: Row, known: Mapping[str, Schema], operations: Operations) -> Iterator[str]:
    if "read" in recipe:
        yield from _check_read("requires", recipe, known, operations)
    yield from _check_selections(
        [recipe["that"], recipe.get("when", "")], {**known, "result": _answer_schema(recipe, operations)}
    )
    read = recipe.get("read") or row["effects"].get("target", {}).get("read")
    yield from _check_status("requires", recipe["that"], read, operations)
    if recipe.get("field") and recipe["field"] not in _properties(row):
        yield f"requires names {recipe['field']}, which is not an argument"


def _check_status(place: str, expression: str, read: str | None, operations: Operations) -> Iterator[str]:
    """Yield a sentence if an expression depends on a 404 that the read does not document."""
    if _STATUS.search(expression) and _NOT_FOUND not in operations.get(read or "", {}).get("statuses", ()):
        yield f"{place} depends on a 404 that {read} does not document"


def _check_metric(place: str, measure: Row, known: Mapping[str, Schema], operations: Operations) -> Iterator[str]:
    answer = _answer_schema(measure, operations)
    if "read" in measure:
        yield from _check_read(place, measure, known, operations)
    texts = [measure.get("count", ""), measure.get("show", ""), *measure.get("where", {}).values()]
    yield from _check_selections(texts, {**known, "result": answer})
    if "of" in measure:
        rows = f"{measure['of']}."
        paths = [*measure.get("where", ()), *(measure[key] for key in ("has", "by", "only") if key in measure)]
        yield from (f"{place}: there is no {rows}{path}" for path in paths if absent_field(rows + path, answer))
        if absent_field(measure["of"], answer):
            yield f"{place}: there is no {measure['of']}"


def _check_read(place: str, recipe: Row, known: Mapping[str, Schema], operations: Operations) -> Iterator[str]:
    read = operations.get(recipe["read"])
    if read is None:
        yield f"{place} reads {recipe['read']}, which does not exist"
        return
    if read["effects"]["level"] not in READ_LEVELS:
        yield f"{place} reads {recipe['read']}, which does more than read"
    yield from _check_arguments(place, recipe.get("args", {}), read, ())
    yield from _check_selections(recipe.get("args", {}).values(), known)


def _check_arguments(place: str, args: Mapping[str, str], call: Row, supplied: Iterable[str]) -> Iterator[str]:
    """Yield the unknown arguments of a call, and the required ones that are missing."""
    yield from (f"{place}: {call['key']} has no argument {name}" for name in args if name not in _properties(call))
    given = {*args, *(path.split(".")[0] for path in supplied)}
    for name in call["input_schema"].get("required", ()):
        if name not in given:
            yield f"{place}: {call['key']} needs {name}"


def _check_undo(row: Row, known: Mapping[str, Schema], operations: Operations) -> Iterator[str]:
    undo = row["effects"]["undo"]
    for inverse in (undo, *undo.get("also", ())):
        call = operations[inverse["call"]]
        if call["effects"]["level"] in READ_LEVELS:
            yield f"undo calls {inverse['call']}, which only reads"
        yield from _check_arguments("undo", inverse["args"], call, inverse["supply"])
        texts = [*inverse["args"].values(), inverse.get("each", ""), inverse.get("when", "")]
        yield from _check_selections(texts, known)
    effects = operations[undo["call"]]["effects"]
    present = _answer_schema(effects.get("diff"), operations) or _answer_schema(effects.get("target"), operations)
    if "left" in undo:
        yield from () if present else ("undo.left has no read",)
        yield from _check_selections([undo["left"]], {**known, "present": present})


def _check_selections(texts: Iterable[str], known: Mapping[str, Schema]) -> Iterator[str]:
    for text in texts:
        yield from (f"{text!r} selects {path}, which does not exist" for path in missing_fields(text, known))


def _answer_schema(recipe: Row | None, operations: Operations) -> Schema:
    return shown_arguments(recipe, operations) if recipe and recipe.get("read") in operations else {}


def _properties(row: Row) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = row["input_schema"].get("properties", {})
    return properties


def missing_fields(expression: str, schemas: Mapping[str, Schema]) -> Iterator[str]:
    """Yield the selections in an expression that its variables' schemas do not contain."""
    variables = dict(schemas)
    text = _TEXT.sub('""', expression)
    for selection in _SELECTION.finditer(text):
        if selection[1] not in variables:
            continue
        schema = variables[selection[1]]
        for step in _STEP.finditer(selection[2]):
            inner = _step_into(schema, step[1])
            if inner is None:
                yield selection[1] + selection[2]
                schema = _ANYTHING
                break
            schema = inner
        macro = _MACRO.match(text, selection.end())
        if macro:
            variables[macro[1]] = _items(schema)


def absent_field(path: str, schema: Schema) -> bool:
    """Return whether a dotted path through objects and arrays selects no field."""
    found = schema
    for step in path.split("."):
        found = main_branch(found)
        inner = _step_into(found["items"] if found.get("type") == "array" else found, step)
        if inner is None:
            return True
        found = inner
    return False


def _step_into(schema: Schema, step: str | None) -> Schema | None:
    """Return the schema of a field, or of an item if `step` is None. Return None for a missing field."""
    schema = main_branch(schema)
    if not schema:
        return _ANYTHING
    if step is None:
        return _items(schema)
    if step in schema.get("properties", {}):
        inner: Schema = schema["properties"][step]
        return inner
    other = schema.get("additionalProperties")
    if schema.get("type") == "object" and (isinstance(other, dict) or other is True):
        return other if isinstance(other, dict) else _ANYTHING
    return None


def _items(schema: Schema) -> Schema:
    """Return the schema of the items that a comprehension iterates over. Keys of a map are not checked."""
    items: Schema = main_branch(schema).get("items", _ANYTHING)
    return items

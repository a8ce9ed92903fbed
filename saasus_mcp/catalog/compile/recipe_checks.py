"""Whether the recipes fit the documents: every read exists, only reads, gets what it needs, and answers what is selected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from saasus_mcp.catalog.compile.field_checks import Schema, absent_field, missing_fields
from saasus_mcp.catalog.compile.recipe_defaults import Operations, Row, shown_arguments
from saasus_mcp.catalog.compile.recipes import APPLIED, is_valid_expression

READS = ("read", "read_sensitive")
NOT_FOUND = 404
STATUS = re.compile(r"(?<![\w.])status\b")


def find_misfits(row: Row, operations: Operations) -> Iterator[str]:
    """What does not fit in the completed recipes of a row, in words."""
    effects = row["effects"]
    known = {"args": row["input_schema"], "target": _seen(effects.get("target"), operations)}
    before = _seen(effects.get("diff"), operations) or known["target"]
    if effects.get("target", {}).get("read"):
        yield from _read("target", effects["target"], known, operations)
        yield from _selected([*effects.get("bind", ()), effects["target"].get("name", "")], known)
    for requirement in effects.get("requires", ()):
        yield from _requirement(row, requirement, known, operations)
    for name, measure in effects.get("impact", {}).items():
        yield from _measure(f"impact.{name}", measure, known, operations)
    if "diff" in effects:
        diff = effects["diff"]
        yield from _read("diff", diff, known, operations) if "read" in diff else ()
        yield from _selected(diff["now"].values(), {**known, "result": before})
        yield from (f"diff.now.{name} is not an argument" for name in diff["now"] if name not in _properties(row))
    if "verify" in effects:
        verify = effects["verify"]
        yield from _read("verify", verify, known, operations)
        yield from (
            () if is_valid_expression(verify["applied"], APPLIED) else (f"{verify['applied']!r} is not an expression",)
        )
        yield from _selected([verify["applied"]], {**known, "result": _seen(verify, operations), "before": before})
        yield from _documented("verify", verify["applied"], verify["read"], operations)
    if "call" in effects.get("undo", {}):
        yield from _undo(row, {**known, "before": before, "result": row["output_schema"]}, operations)


def _requirement(row: Row, recipe: Row, known: Mapping[str, Schema], operations: Operations) -> Iterator[str]:
    if "read" in recipe:
        yield from _read("requires", recipe, known, operations)
    yield from _selected([recipe["that"], recipe.get("when", "")], {**known, "result": _seen(recipe, operations)})
    read = recipe.get("read") or row["effects"].get("target", {}).get("read")
    yield from _documented("requires", recipe["that"], read, operations)
    if recipe.get("field") and recipe["field"] not in _properties(row):
        yield f"requires names {recipe['field']}, which is not an argument"


def _documented(place: str, expression: str, read: str | None, operations: Operations) -> Iterator[str]:
    """That an expression speaks of a read's 404, which the read does not document."""
    if STATUS.search(expression) and NOT_FOUND not in operations.get(read or "", {}).get("statuses", ()):
        yield f"{place} rests on a 404 that {read} does not document"


def _measure(place: str, measure: Row, known: Mapping[str, Schema], operations: Operations) -> Iterator[str]:
    answer = _seen(measure, operations)
    if "read" in measure:
        yield from _read(place, measure, known, operations)
    texts = [measure.get("count", ""), measure.get("show", ""), *measure.get("where", {}).values()]
    yield from _selected(texts, {**known, "result": answer})
    if "of" in measure:
        rows = f"{measure['of']}."
        paths = [*measure.get("where", ()), *(measure[key] for key in ("has", "by", "only") if key in measure)]
        yield from (f"{place}: there is no {rows}{path}" for path in paths if absent_field(rows + path, answer))
        if absent_field(measure["of"], answer):
            yield f"{place}: there is no {measure['of']}"


def _read(place: str, recipe: Row, known: Mapping[str, Schema], operations: Operations) -> Iterator[str]:
    read = operations.get(recipe["read"])
    if read is None:
        yield f"{place} reads {recipe['read']}, which there is not"
        return
    if read["effects"]["level"] not in READS:
        yield f"{place} reads {recipe['read']}, which does more than read"
    yield from _given(place, recipe.get("args", {}), read, ())
    yield from _selected(recipe.get("args", {}).values(), known)


def _given(place: str, args: Mapping[str, str], call: Row, supplied: Iterable[str]) -> Iterator[str]:
    """Arguments of a call that there are not, and required ones that are not given."""
    yield from (f"{place}: {call['key']} has no argument {name}" for name in args if name not in _properties(call))
    got = {*args, *(path.split(".")[0] for path in supplied)}
    for name in call["input_schema"].get("required", ()):
        if name not in got:
            yield f"{place}: {call['key']} needs {name}"


def _undo(row: Row, known: Mapping[str, Schema], operations: Operations) -> Iterator[str]:
    undo = row["effects"]["undo"]
    for inverse in (undo, *undo.get("also", ())):
        call = operations[inverse["call"]]
        if call["effects"]["level"] in READS:
            yield f"undo calls {inverse['call']}, which only reads"
        yield from _given("undo", inverse["args"], call, inverse["supply"])
        texts = [*inverse["args"].values(), inverse.get("each", ""), inverse.get("when", "")]
        yield from _selected(texts, known)
    effects = operations[undo["call"]]["effects"]
    now = _seen(effects.get("diff"), operations) or _seen(effects.get("target"), operations)
    if "left" in undo:
        yield from () if now else ("undo.left has nothing to look at",)
        yield from _selected([undo["left"]], {**known, "now": now})


def _selected(texts: Iterable[str], known: Mapping[str, Schema]) -> Iterator[str]:
    for text in texts:
        yield from (f"there is no {path}, as {text!r} would have it" for path in missing_fields(text, known))


def _seen(recipe: Row | None, operations: Operations) -> Schema:
    return shown_arguments(recipe, operations) if recipe and recipe.get("read") in operations else {}


def _properties(row: Row) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = row["input_schema"].get("properties", {})
    return properties

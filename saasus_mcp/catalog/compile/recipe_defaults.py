"""Shorthands of the table of effects written out: what a recipe leaves unsaid follows from the documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from saasus_mcp.catalog.compile.field_checks import merge_branches

Row = dict[str, Any]
Operations = Mapping[str, Row]
"""The compiled rows of all operations, by key."""


def fill_recipe_defaults(row: Row, operations: Operations) -> None:
    """Write out the recipes of a compiled row, in place."""
    effects = row["effects"]
    for key in ("impact", "verify"):
        if isinstance(effects.get(key), str) and effects[key] != "as_sent":
            del effects[key]
    if "diff" in effects:
        effects["diff"] = _diff(row, operations)
    if effects.get("verify") == "as_sent":
        effects["verify"] = _as_sent(row)
    if "call" in effects.get("undo", {}):
        effects["undo"] = _undo(row, operations)


def _diff(row: Row, operations: Operations) -> Row:
    """`now` with every argument that the answer has under the same name; those said to be null left out."""
    diff = row["effects"]["diff"]
    answer = shown_arguments(diff if "read" in diff else row["effects"]["target"], operations)
    said = diff.get("now") if isinstance(diff.get("now"), dict) else {}
    alike = {
        name: f"result.{name}"
        for name in default_arguments(row)
        if name in answer.get("properties", {}) and name not in row["path_parameters"] and name not in _secret(row)
    }
    now = {name: text for name, text in {**alike, **(said or {})}.items() if text is not None}
    return {**diff, "now": now}


def _as_sent(row: Row) -> Row:
    """True where everything sent is there, false where nothing changed, else nobody knows.

    Where something was sent that no read shows, equal fields say something only if one of them changed.
    """
    effects = row["effects"]
    diff = effects["diff"]
    seen = diff if "read" in diff else effects["target"]
    now = diff["now"]
    there = " && ".join(f"(!has(args.{name}) || ({text}) == args.{name})" for name, text in now.items())
    same = " && ".join(f"({text}) == ({over_before(text)})" for text in now.values())
    unseen = [name for name in default_arguments(row) if name not in now and name not in row["path_parameters"]]
    told = " && ".join(f"!has(args.{name})" for name in unseen)
    true = f"({told} || !({same}) ? dyn(true) : null)" if unseen else "dyn(true)"
    kept = {key: seen[key] for key in ("read", "args", "pick") if key in seen}
    return {**kept, "applied": f"{there} ? {true} : {same} ? dyn(false) : null"}


def _undo(row: Row, operations: Operations) -> Row:
    """The inverse calls: by name, with their arguments, and with those that a person must supply."""
    undo = row["effects"]["undo"]
    also = [_inverse(row, further, operations) for further in undo.get("also", ())]
    inverse = _inverse(row, undo, operations)
    critical = any(operations[each["call"]]["effects"]["level"] == "critical" for each in (inverse, *also))
    return {**inverse, **({"also": also} if also else {}), **({"critical": True} if critical else {})}


def _inverse(row: Row, undo: Row, operations: Operations) -> Row:
    effects = row["effects"]
    key = row["key"] if undo["call"] == "again" else undo["call"]
    call = operations[key]
    supply = list(undo.get("supply", ()))
    secret = _secret(call)
    args = undo.get("args", {})
    if undo["call"] == "again":
        now = effects.get("diff", {}).get("now", {})
        again = {name: over_before(now[name]) if name in now else f"args.{name}" for name in default_arguments(row)}
        args = {name: text for name, text in again.items() if name not in secret and name not in supply} | args
    elif args == "before":
        before = shown_arguments(
            effects["diff"] if "read" in effects.get("diff", {}) else effects["target"], operations
        )
        args = {name: f"before.{name}" for name in default_arguments(call) if name in before.get("properties", {})}
    needed = set(args) | set(call["input_schema"].get("required", ()))
    needed |= secret if undo["call"] == "again" else set()
    supply += [path for path in call["secret_inputs"] if path.split(".")[0] in needed and path not in supply]
    given = {path.split(".")[0] for path in supply}
    needs = [name for name in call["input_schema"].get("required", ()) if name in args or name not in given]
    return {**undo, "call": key, "tool": call["tool"], "args": args, "supply": supply, "needs": needs}


def shown_arguments(recipe: Row, operations: Operations) -> Row:
    """The schema of what a read shows: its answer, or the element that is picked from it."""
    schema: Row = operations[recipe["read"]]["output_schema"]
    if "pick" in recipe:
        for step in recipe["pick"]["from"].split("."):
            schema = merge_branches(schema)["properties"][step]
        schema = schema["items"]
    return merge_branches(schema)


def default_arguments(row: Row) -> list[str]:
    return list(row["input_schema"].get("properties", {}))


def over_before(text: str) -> str:
    """The same expression over what was there before."""
    return re.sub(r"\bresult\b", "before", text)


def _secret(row: Row) -> set[str]:
    """Arguments that are secret as a whole."""
    return {path for path in row["secret_inputs"] if "." not in path}

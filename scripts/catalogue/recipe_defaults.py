"""Expand the shorthands of effects.yaml from the documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from saasus_mcp.common.json_path import main_branch

Row = dict[str, Any]
Operations = Mapping[str, Row]
"""The compiled rows of all operations, by key."""


def fill_recipe_defaults(row: Row, operations: Operations) -> None:
    """Expand the recipes of a compiled row in place."""
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
    """Add every argument to `now` that the answer contains under the same name. Null in `now` excludes one."""
    diff = row["effects"]["diff"]
    answer = shown_arguments(diff if "read" in diff else row["effects"]["target"], operations)
    explicit = diff.get("now") if isinstance(diff.get("now"), dict) else {}
    same_name = {
        name: f"result.{name}"
        for name in default_arguments(row)
        if name in answer.get("properties", {})
        and name not in row["path_parameters"]
        and name not in _secret_arguments(row)
    }
    now = {name: text for name, text in {**same_name, **(explicit or {})}.items() if text is not None}
    return {**diff, "now": now}


def _as_sent(row: Row) -> Row:
    """Return a verification that is true if everything sent is there, false if nothing changed, and null otherwise.

    If an argument was sent that no read shows, equal fields prove something only if one of them changed.
    """
    effects = row["effects"]
    diff = effects["diff"]
    read = diff if "read" in diff else effects["target"]
    now = diff["now"]
    applied = " && ".join(f"(!has(args.{name}) || ({text}) == args.{name})" for name, text in now.items())
    unchanged = " && ".join(f"({text}) == ({rename_result(text)})" for text in now.values())
    hidden = [name for name in default_arguments(row) if name not in now and name not in row["path_parameters"]]
    nothing_hidden = " && ".join(f"!has(args.{name})" for name in hidden)
    true = f"({nothing_hidden} || !({unchanged}) ? dyn(true) : null)" if hidden else "dyn(true)"
    recipe = {key: read[key] for key in ("read", "args", "pick") if key in read}
    return {**recipe, "applied": f"{applied} ? {true} : {unchanged} ? dyn(false) : null"}


def _undo(row: Row, operations: Operations) -> Row:
    """Complete the inverse calls with their tools, their arguments, and the arguments that a person must supply."""
    undo = row["effects"]["undo"]
    also = [_inverse(row, each, operations) for each in undo.get("also", ())]
    inverse = _inverse(row, undo, operations)
    critical = any(operations[each["call"]]["effects"]["level"] == "critical" for each in (inverse, *also))
    return {**inverse, **({"also": also} if also else {}), **({"critical": True} if critical else {})}


def _inverse(row: Row, undo: Row, operations: Operations) -> Row:
    effects = row["effects"]
    key = row["key"] if undo["call"] == "again" else undo["call"]
    call = operations[key]
    supply = list(undo.get("supply", ()))
    secret = _secret_arguments(call)
    args = undo.get("args", {})
    if undo["call"] == "again":
        now = effects.get("diff", {}).get("now", {})
        again = {name: rename_result(now[name]) if name in now else f"args.{name}" for name in default_arguments(row)}
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
    """Return the schema of a read's answer, or of the item that is picked from it."""
    schema: Row = operations[recipe["read"]]["output_schema"]
    if "pick" in recipe:
        for step in recipe["pick"]["from"].split("."):
            schema = main_branch(schema)["properties"][step]
        schema = schema["items"]
    return main_branch(schema)


def default_arguments(row: Row) -> list[str]:
    return list(row["input_schema"].get("properties", {}))


def rename_result(text: str) -> str:
    """Return the expression with `before` in place of `result`."""
    return re.sub(r"\bresult\b", "before", text)


def _secret_arguments(row: Row) -> set[str]:
    """Return the arguments that are entirely secret."""
    return {path for path in row["secret_inputs"] if "." not in path}

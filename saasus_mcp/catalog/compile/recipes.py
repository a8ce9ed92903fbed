"""The recipes of a row of effects, held to their vocabulary: impact, diff, verify, undo and say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from saasus_mcp.catalog.compile import requirements
from saasus_mcp.catalog.expressions import ExpressionError, compile_expression

Row = dict[str, Any]

KEYS = frozenset({"requires", "impact", "affects_users", "diff", "verify", "undo", "say"})
MEASURE = frozenset({"label", "read", "args", "count", "of", "where", "has", "by", "only", "show"})
DIFF = frozenset({"read", "args", "pick", "now", "omitted"})
VERIFY = frozenset({"read", "args", "pick", "applied"})
INVERSE_CALL = frozenset({"call", "args", "each", "when", "supply"})
UNDO = INVERSE_CALL | {"class", "left", "also", "note"}
CLASS_OF = {"reversible": "undoable", "recreate": "recreatable", "irreversible": "lost", "n/a": "lost"}
"""The class of undo that each reversibility means."""
OMITTED = frozenset({"keeps", "resets", "unknown"})
MAX_READS = 6
"""How many different reads the impact of one row may make."""

READING = ("args", "month", "target")
SHOWING = ("args", "result", "target")
NOW = ("args", "result")
APPLIED = ("args", "before", "result", "status")
INVERSE = ("args", "before", "result")
INVERSE_EACH = ("args", "before", "item", "result")
LEFT = ("args", "before", "now", "result")


def find_recipe_problems(row: Row) -> list[str]:
    """What is wrong with a row's recipes, in words; empty where nothing is."""
    found = [*_requires(row), *_impact(row), *_diff(row), *_verify(row), *_undo(row)]
    if "say" in row and not _both(row["say"]):
        found.append("say is not in both languages")
    if row.get("level") in ("destructive", "critical"):
        found += [f"{key} is missing" for key in ("impact", "verify") if not row.get(key)]
    return found


def is_valid_expression(expression: object, names: tuple[str, ...]) -> bool:
    """Whether it is an expression over these names."""
    try:
        compile_expression(str(expression), names)
    except ExpressionError:
        return False
    return isinstance(expression, str)


def _requires(row: Row) -> Iterator[str]:
    rows = row.get("requires", [])
    yield from requirements.find_requirement_problems(rows)
    for each in rows:
        yield from _unsound([each.get("that", "true"), each.get("when", "true")], requirements.OVER)
        yield from _unsound(each.get("args", {}).values(), ("args", "target"))


def _impact(row: Row) -> Iterator[str]:
    impact = row.get("impact", {})
    if isinstance(impact, str):
        impact = {}
    for name, measure in impact.items():
        yield from _unknown(f"impact.{name}", measure, MEASURE)
        if sum(key in measure for key in ("count", "of", "show")) != 1:
            yield f"impact.{name} needs exactly one of count, of and show"
        shown = [measure[key] for key in ("count", "show") if key in measure]
        yield from _unsound(measure.get("args", {}).values(), READING)
        yield from _unsound([*shown, *measure.get("where", {}).values()], SHOWING)
    if (
        len({(measure.get("read"), str(measure.get("args"))) for measure in impact.values() if "read" in measure})
        > MAX_READS
    ):
        yield f"impact makes more than {MAX_READS} reads"
    affected = row.get("affects_users", 0)
    if not isinstance(affected, int) and affected not in impact:
        yield f"affects_users names {affected!r}, which is not in impact"


def _diff(row: Row) -> Iterator[str]:
    diff = row.get("diff", {})
    yield from _unknown("diff", diff, DIFF)
    now = diff.get("now", {})
    if isinstance(now, str):
        yield from () if now == "auto" else (f"diff.now is {now!r}",)
        now = {}
    yield from _unsound((text for text in now.values() if text is not None), NOW)
    yield from _unsound([*diff.get("args", {}).values(), *_where(diff)], ("args",))
    if diff.get("omitted", "unknown") not in OMITTED:
        yield f"diff.omitted is {diff['omitted']!r}"
    if "diff" in row and "read" not in diff and "target" not in row:
        yield "diff has no read, and the row no target"


def _verify(row: Row) -> Iterator[str]:
    verify = row.get("verify", {})
    if verify == "as_sent":
        yield from () if "diff" in row else ("verify as_sent needs a diff",)
    if isinstance(verify, str):
        return
    yield from _unknown("verify", verify, VERIFY)
    if verify:
        yield from (f"verify.{key} is missing" for key in ("read", "applied") if key not in verify)
        yield from _unsound([*verify.get("args", {}).values(), *_where(verify)], ("args",))
        yield from _unsound([verify.get("applied", "true")], APPLIED)


def _undo(row: Row) -> Iterator[str]:
    undo = row.get("undo", {})
    reads = row.get("level") in ("read", "read_sensitive")
    if reads or not undo:
        yield from () if reads and not undo else ("a read leaves nothing to undo" if reads else "undo is missing",)
        return
    yield from _unknown("undo", undo, UNDO)
    meant = CLASS_OF.get(row.get("reversibility", "n/a"))
    if undo.get("class") != meant:
        yield f"undo.class is {undo.get('class')!r}, though the row's reversibility means {meant!r}"
    for further in undo.get("also", ()):
        yield from _unknown("undo.also", further, INVERSE_CALL)
    for inverse in (undo, *undo.get("also", ())):
        args = inverse.get("args", {})
        if args != "before":
            yield from _unsound(args.values(), INVERSE_EACH if "each" in inverse else INVERSE)
        yield from _unsound([inverse.get("each", "[]"), inverse.get("when", "true")], INVERSE)
    yield from _unsound([undo.get("left", "true")], LEFT)
    if "note" in undo and not _both(undo["note"]):
        yield "undo.note is not in both languages"
    if "note" not in undo and (undo.get("class") != "undoable" or "call" not in undo):
        yield "undo needs a note that says what cannot come back, or who can bring it back"


def _where(recipe: Row) -> Iterable[Any]:
    values: Iterable[Any] = recipe.get("pick", {}).get("where", {}).values()
    return values


def _unknown(place: str, recipe: Row, known: frozenset[str]) -> Iterator[str]:
    return (f"{place}.{key} is not known" for key in recipe if key not in known)


def _unsound(texts: Iterable[Any], names: tuple[str, ...]) -> Iterator[str]:
    over = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    return (f"{text!r} is not an expression over {over}" for text in texts if not is_valid_expression(text, names))


def _both(text: object) -> bool:
    return isinstance(text, dict) and set(text) == {"en", "ja"} and all(isinstance(item, str) for item in text.values())

"""Check the keys and expressions of the recipes in effects.yaml: impact, diff, verify, undo and say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from saasus_mcp.catalog.expressions import ExpressionError, compile_expression
from saasus_mcp.catalog.levels import READ_LEVELS, TYPED_LEVELS
from scripts.catalogue.spec_file import BOTH, TEXT, TEXTS, Form, mapping, mapping_of

Row = dict[str, Any]

_ARGS = mapping_of(TEXT)
READ: Form = {
    "read": TEXT,
    "args": _ARGS,
    "pick": mapping({"from": TEXT, "where": _ARGS}, required=("from", "where")),
}
"""The keys that select a record: a read, its arguments, and the item of its answer."""
_METRIC = mapping(
    {"label": {}, "read": TEXT, "args": _ARGS, "where": _ARGS}
    | dict.fromkeys(("count", "of", "has", "by", "only", "show"), TEXT)
)
_NOW: Form = {"type": ["string", "object"], "additionalProperties": {"type": ["string", "null"]}}
_INVERSE: Form = {
    "call": TEXT,
    "args": {"type": ["string", "object"], "additionalProperties": TEXT},
    "each": TEXT,
    "when": TEXT,
    "supply": TEXTS,
}
_REQUIREMENT_FORM = mapping(
    {
        "args": _ARGS,
        "example": {"type": ["string", "object"], "additionalProperties": TEXT},
        "no_change": {"const": True},
        **dict.fromkeys(("moment", "email", "url", "that", "when", "field", "read", "en", "ja"), TEXT),
    }
)
FORMS: Form = {
    "requires": {"type": "array", "items": _REQUIREMENT_FORM},
    "impact": {"type": ["string", "object"], "additionalProperties": _METRIC},
    "affects_users": {"type": ["string", "integer"]},
    "diff": mapping({**READ, "now": _NOW, "omitted": {"enum": ["keeps", "resets", "unknown"]}}),
    "verify": {**mapping({**READ, "applied": TEXT}, required=("read", "applied")), "type": ["string", "object"]},
    "undo": mapping(
        _INVERSE
        | {
            "class": TEXT,
            "left": TEXT,
            "also": {"type": "array", "items": mapping(_INVERSE, required=("call",))},
            "note": BOTH,
        },
        required=("class",),
    ),
    "say": BOTH,
    "user_token": BOTH,
}
"""The forms of the recipes, by their key in a row."""
UNDO_CLASSES = {"reversible": "undoable", "recreate": "recreatable", "irreversible": "lost", "n/a": "lost"}
"""The class of undo for each reversibility."""
MAX_READS = 6
"""The limit of different reads in the impact of one row."""

# The variables of the expressions, by their place in a recipe.
_READ_ARGS = ("args", "month", "target")
_METRIC_NAMES = ("args", "result", "target")
_DIFF_NOW = ("args", "result")
APPLIED = ("args", "before", "result", "status")
_UNDO_ARGS = ("args", "before", "result")
_UNDO_EACH = ("args", "before", "item", "result")
_UNDO_WHEN = ("args", "before", "now", "result")
_UNDO_LEFT = ("args", "before", "present", "result")


def find_recipe_problems(row: Row) -> list[str]:
    """Return the problems of a row's recipes as sentences."""
    problems = [*_requires(row), *_impact(row), *_diff(row), *_verify(row), *_undo(row)]
    if row.get("level") in TYPED_LEVELS:
        problems += [f"{key} is missing" for key in ("impact", "verify") if not row.get(key)]
    return problems


def is_valid_expression(expression: object, names: tuple[str, ...]) -> bool:
    """Return whether a value is an expression over these variables."""
    try:
        compile_expression(str(expression), names)
    except ExpressionError:
        return False
    return isinstance(expression, str)


def _requires(row: Row) -> Iterator[str]:
    rows = row.get("requires", [])
    yield from find_requirement_problems(rows)
    for each in rows:
        yield from invalid_expressions([each.get("that", "true"), each.get("when", "true")], _REQUIREMENT)
        yield from invalid_expressions(each.get("args", {}).values(), ("args", "target"))


def _impact(row: Row) -> Iterator[str]:
    impact = row.get("impact", {})
    if isinstance(impact, str):
        impact = {}
    for name, measure in impact.items():
        if sum(key in measure for key in ("count", "of", "show")) != 1:
            yield f"impact.{name} needs exactly one of count, of and show"
        shown = [measure[key] for key in ("count", "show") if key in measure]
        yield from invalid_expressions(measure.get("args", {}).values(), _READ_ARGS)
        yield from invalid_expressions([*shown, *measure.get("where", {}).values()], _METRIC_NAMES)
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
    now = diff.get("now", {})
    if isinstance(now, str):
        yield from () if now == "auto" else (f"diff.now is {now!r}",)
        now = {}
    yield from invalid_expressions((text for text in now.values() if text is not None), _DIFF_NOW)
    yield from invalid_expressions([*diff.get("args", {}).values(), *_where(diff)], ("args",))
    if "diff" in row and "read" not in diff and "read" not in row.get("target", {}):
        yield "diff has no read, and the row has no target with one"


def _verify(row: Row) -> Iterator[str]:
    verify = row.get("verify", {})
    if verify == "as_sent":
        yield from () if "diff" in row else ("verify as_sent needs a diff",)
    if isinstance(verify, str):
        return
    if verify:
        yield from invalid_expressions([*verify.get("args", {}).values(), *_where(verify)], ("args",))
        yield from invalid_expressions([verify.get("applied", "true")], APPLIED)


def _undo(row: Row) -> Iterator[str]:
    undo = row.get("undo", {})
    reads = row.get("level") in READ_LEVELS
    if reads or not undo:
        yield from () if reads and not undo else ("a read has no undo" if reads else "undo is missing",)
        return
    wanted = UNDO_CLASSES.get(row.get("reversibility", "n/a"))
    if undo.get("class") != wanted:
        yield f"undo.class is {undo.get('class')!r}, but the reversibility requires {wanted!r}"
    for inverse in (undo, *undo.get("also", ())):
        args = inverse.get("args", {})
        if args == "before":
            if not any("read" in row.get(place, {}) for place in ("diff", "target")):
                yield "undo.args is 'before', and neither diff nor target has a read"
        elif isinstance(args, str):
            yield f"undo.args is {args!r}"
        else:
            yield from invalid_expressions(args.values(), _UNDO_EACH if "each" in inverse else _UNDO_ARGS)
        yield from invalid_expressions([inverse.get("each", "[]")], _UNDO_ARGS)
        yield from invalid_expressions([inverse.get("when", "true")], _UNDO_WHEN)
    yield from invalid_expressions([undo.get("left", "true")], _UNDO_LEFT)
    if "note" not in undo and (undo.get("class") != "undoable" or "call" not in undo):
        yield "undo needs a note about what cannot be restored, or about who can restore it"


def _where(recipe: Row) -> Iterable[Any]:
    values: Iterable[Any] = recipe.get("pick", {}).get("where", {}).values()
    return values


def invalid_expressions(texts: Iterable[Any], names: tuple[str, ...]) -> Iterator[str]:
    """Yield a sentence for each value that is not an expression over these variables."""
    variables = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    return (f"{text!r} is not an expression over {variables}" for text in texts if not is_valid_expression(text, names))


_REQUIREMENT = ("args", "now", "result", "status", "target")
"""The variables of `that` and `when`."""
_LIVE = re.compile(r"(?<![\w.])(?:target|status)\b")

_MILLISECONDS = {
    "en": "These are milliseconds. Send epoch seconds: divide by 1000.",
    "ja": "ミリ秒で指定されています。1000で割り、エポック秒で指定してください。",
}
_YEARS = {
    "en": "It must lie between the years 2000 and 2100, in epoch seconds.",
    "ja": "2000年から2100年までの日時を、エポック秒で指定してください。",
}
_ADDRESS = {
    "en": "This is not an e-mail address. Send the address alone, such as hanako@example.com.",
    "ja": "メールアドレスの形式ではありません。hanako@example.comのように、アドレスだけを指定してください。",
}
_LINK = {
    "en": "This is not a URL. Send all of it, such as https://www.example.com/page.",
    "ja": "URLの形式ではありません。https://www.example.com/pageのように、全体を指定してください。",
}
_NO_ADDRESS = "@<>,;:()"
_BLANKS = r"[\s\pZ\pC]"
"""In RE2, \\s is ASCII only. The runtime compiles a pattern for each evaluation: once here takes a quarter of the time of once in each class below."""
_LABEL = f"[^{_NO_ADDRESS}.\u3002\uff00-\uffef]+"
"""A part of a domain. Full-width letters and dots would be another spelling of a domain that a policy names."""
_PLAIN_ADDRESS = r"^[\w.%+-]+@[\w-]+(\.[\w-]+)+$"
"""Nearly every address, checked in a quarter of the time: the runtime compiles patterns with classes of Unicode slowly."""
_ANY_ADDRESS = f'{{0}}.matches(r"^[^{_NO_ADDRESS}]+@{_LABEL}(\\.{_LABEL})+$") && !{{0}}.matches(r"{_BLANKS}")'
_FORMS = {
    "moment": (
        # Milliseconds come first, since their text is more specific.
        (_MILLISECONDS, "{} < 100000000000"),
        (_YEARS, "{0} >= 946684800 && {0} < 4102444800"),
    ),
    "email": ((_ADDRESS, f'{{0}}.matches(r"{_PLAIN_ADDRESS}") || ({_ANY_ADDRESS})'),),
    "url": ((_LINK, r"""{}.matches(r"^[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#]")"""),),
}
"""Text and expression of each requirement on the form of an argument."""
_EXAMPLES = {"moment": 1_767_225_600, "email": "hanako@example.com", "url": "https://www.example.com/page"}
"""A value of each form."""


def expand_requirements(rows: list[Row]) -> list[Row]:
    """Expand the requirements of a row: join the texts, and mark those that depend on the current state."""
    return [_compile_requirement(each) for row in rows for each in _expand_form(row)]


def find_requirement_problems(rows: list[Row]) -> Iterator[str]:
    """Yield the problems of the requirements' keys as sentences."""
    for row in rows:
        forms = sorted(row.keys() & _FORMS.keys())
        if forms:
            more = row.keys() - {forms[0], "when"}
            yield from (f"requires has more keys beside the {forms[0]} {row[forms[0]]}",) if more else ()
            continue
        yield from (f"requires.{key} is missing" for key in ("that", "en", "ja") if key not in row)
        if "no_change" in row and "field" in row:
            yield f"requires names {row['field']} as the argument at fault, though nothing would change"


def _expand_form(row: Row) -> Iterator[Row]:
    """Yield the requirements that an argument, or a field in it or in each item of it, has a form, or the row itself."""
    name = next((key for key in _FORMS if key in row), None)
    if name is None:
        yield {**row, "example": {row["field"]: row["example"]}} if "example" in row else row
        return
    path, _, inner = row[name].partition("[].")
    example = {row[name]: _EXAMPLES[name]}
    when = {"when": row["when"]} if "when" in row else {}
    for text, bound in _FORMS[name]:
        each = bound.format(f"x.{inner}" if inner else f"args.{path}")
        that = f"args.{path}.all(x, {each})" if inner else each
        yield {"field": path.split(".", 1)[0], **when, "that": that, **text, "example": example}


def _compile_requirement(row: Mapping[str, Any]) -> Row:
    rest = {key: value for key, value in row.items() if key not in ("en", "ja")}
    live = "read" in row or bool(_LIVE.search(row["that"] + " " + row.get("when", "")))
    each_item = "field" in row and row["that"].startswith(f"args.{row['field']}.all(")
    marks = {name: True for name, holds in (("live", live), ("each_item", each_item)) if holds}
    return {**rest, "text": {"en": row["en"], "ja": row["ja"]}, **marks}

"""Picking from an answer by a JMESPath expression, with what the expression may cost bounded."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from time import monotonic
from typing import Any

from jmespath import compile as parsed
from jmespath.exceptions import JMESPathError, JMESPathTypeError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.saasus.response_body import check_depth
from saasus_mcp.saasus.tool_answer import compact_json

FUNCTIONS: Any = Functions()
MAX_EXPRESSION_LENGTH = 1_000
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet takes for a formula."""
MAX_WORK = 1_000_000
"""Steps and elements that one expression may go through: about a second, and some tens of megabytes."""
MAX_SECONDS = 5.0
"""For which one expression may be evaluated."""
CHARACTERS_PER_ELEMENT = 16
"""Characters that cost as much as one element."""
CONTAINER_COST = 4
"""What a new list or object costs beside its elements: it takes so much more memory."""
CONTAINER_NODES = ("multi_select_list", "multi_select_dict")
EXPRESSION_FUNCTIONS = ("map", "sort_by", "min_by", "max_by")
DEEP_FUNCTIONS = ("to_string", "contains")
"""Functions that may look at all of a value."""
MAX_NUMBER_LENGTH = 400
MAX_NUMBER_BITS = 1024
MAX_CSV_CELLS = 1_000_000
"""Cells of a CSV: rows times columns, and each row can bring columns of its own."""


class _Unfit(Exception):
    """The expression cannot be evaluated on this answer, or costs too much; the message says why."""


class _Bounded(TreeInterpreter):
    """Evaluates an expression within a budget. What a step makes is charged before it is made, where it can be large.

    An expression can double what it is given again and again, in lists that hold the same list twice. Whatever walks such
    a list whole (a comparison, a text of it) is charged for all that it walks.
    """

    def __init__(self) -> None:
        super().__init__()
        self._left = MAX_WORK
        self._until = monotonic() + MAX_SECONDS

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        if node["type"] == "expref":
            raise _Unfit("an expression with & is only allowed as a function argument")
        found = super().visit(node, *args, **kwargs)
        self._charge(1 + _weight(found) + (CONTAINER_COST if node["type"] in CONTAINER_NODES else 0))
        if isinstance(found, float | int) and not _writable(found):
            raise _Unfit("it contains a number that is invalid or too large")
        return found

    def visit_comparator(self, node: Any, value: Any) -> Any:
        if node["value"] not in ("eq", "ne"):
            return super().visit_comparator(node, value)
        left, right = (self.visit(child, value) for child in node["children"])
        if isinstance(left, dict | list) and isinstance(right, dict | list):
            self._charge(self._whole(left))
        return self.COMPARATOR_FUNC[node["value"]](left, right)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if isinstance(base, list):
            self._charge(sum(len(each) for each in base if isinstance(each, list)))
        known: Any = {"type": "flatten", "children": [{"type": "literal", "value": base}]}
        return super().visit_flatten(known, value)

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        name = node["value"]
        visit = super().visit if name in EXPRESSION_FUNCTIONS else self.visit
        given = [
            visit(child, value) if child["type"] == "expref" else self.visit(child, value) for child in node["children"]
        ]
        for each in given:
            self._charge(self._whole(each) if name in DEEP_FUNCTIONS else _width(each))
        if name == "join" and isinstance(given[0], str) and isinstance(given[-1], list):
            self._charge(len(given[0]) * len(given[-1]) // CHARACTERS_PER_ELEMENT)
        if name == "to_number" and isinstance(given[0], str) and len(given[0]) > MAX_NUMBER_LENGTH:
            raise _Unfit("it contains a number that is invalid or too large")
        return FUNCTIONS.call_function(name, given)

    def measure(self, value: Any) -> None:
        """See that writing the value out is no more work than reading it was: parts of it may be shared many times."""
        self._left = MAX_WORK
        self._charge(self._whole(value))

    def _whole(self, value: Any) -> int:
        """What a walk through all of a value costs; a little more than is left where it costs more than that."""
        waiting, cost = [value], 0
        while waiting and cost <= self._left:
            found = waiting.pop()
            cost += 1 + (_weight(found) if isinstance(found, str) else 0)
            if isinstance(found, dict | list):
                waiting.extend(found.values() if isinstance(found, dict) else found)
        return cost

    def _charge(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0 or monotonic() > self._until:
            raise _Unfit("its result is too large")


def parse_expression(expression: str, field: str = "expression") -> Any:
    """The tree of an expression that can be evaluated, as far as that is known without the value.

    Args:
        field: the argument that an error names.

    Raises:
        InvalidArguments: it is no JMESPath, or calls a function that does not exist or with too few or many arguments.
    """
    if len(expression) > MAX_EXPRESSION_LENGTH:
        raise _unfit(f"longer than {MAX_EXPRESSION_LENGTH} characters.", field)
    with _named(field):
        tree = parsed(expression).parsed
        json.dumps(tree, ensure_ascii=False, allow_nan=False).encode()  # it may hold texts and numbers of its own
        _check_functions(tree)
    return tree


def run_query(value: Any, expression: str, field: str = "expression") -> Any:
    """What the expression finds in the value.

    Args:
        field: the argument that an error names.

    Raises:
        InvalidArguments: it is no JMESPath, does not fit the value, or would cost too much.
    """
    tree = parse_expression(expression, field)
    with _named(field):
        working = _Bounded()
        found = working.visit(tree, value)
        working.measure(found)
        check_depth(found)
    return found


def _check_functions(tree: Any) -> None:
    """See that every function in a tree exists and is given as many arguments as it takes."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        waiting.extend(child for child in node["children"] if isinstance(child, dict))  # a slice has numbers
        if node["type"] != "function_expression":
            continue
        name, given = node["value"], len(node["children"])
        known = FUNCTIONS.FUNCTION_TABLE.get(name)
        if known is None:
            raise _Unfit(f"unknown function {name}()")
        takes = len(known["signature"])
        variadic = bool(takes) and bool(known["signature"][-1].get("variadic"))
        if given < takes or (given > takes and not variadic):
            raise _Unfit(f"{name}() takes {takes}{' or more' if variadic else ''} arguments, not {given}")


@contextmanager
def _named(field: str) -> Iterator[None]:
    """Let every error of an expression name its argument."""
    try:
        yield
    except JMESPathTypeError as error:  # its own message repeats the value, which may be as large as it likes
        wanted = " or ".join(error.expected_types)
        raise _unfit(f"{error.function_name}() takes {wanted}, not {error.actual_type}.", field) from None
    except (JMESPathError, _Unfit) as error:
        raise _unfit(f"{' '.join(str(error).split())[:300].rstrip('.')}.", field) from None
    except RecursionError:
        raise _unfit("it is nested too deeply.", field) from None
    except Exception:  # noqa: BLE001 - the library raises whatever Python does on a value that does not fit
        raise _unfit("it does not match the response, or its result is not valid JSON.", field) from None


def format_csv(value: Any) -> str:
    """A list of objects, or of lists or plain values, as CSV with a header where there are names.

    A text that a spreadsheet would take for a formula gets an apostrophe before it: what is in it came from outside.

    Raises:
        InvalidArguments: the value is no list.
    """
    if not isinstance(value, list):
        raise InvalidArguments(
            ("format",), "CSV needs a list.", "Use an expression that returns a list of objects, or ask for json."
        )
    named = [row for row in value if isinstance(row, dict)]
    names = list(dict.fromkeys(name for row in named for name in row))
    if len(names) * len(value) > MAX_CSV_CELLS:
        raise InvalidArguments(
            ("format",),
            f"{len(value):,} rows of {len(names):,} columns exceed the limit for CSV.",
            "Pick fewer fields, e.g. users[].[id, email].",
        )
    written = io.StringIO()
    writer = csv.writer(written)
    if names:
        writer.writerow([csv_cell(name) for name in names])
    for row in value:
        cells = [row.get(name) for name in names] if isinstance(row, dict) else row if isinstance(row, list) else [row]
        writer.writerow([csv_cell(each) for each in cells])
    return written.getvalue()


def csv_cell(value: Any) -> str:
    """A value as a cell of a CSV, which no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float | dict | list):
        return compact_json(value)
    return f"'{value}" if str(value).startswith(FORMULA_PREFIXES) else str(value)


def _weight(value: Any) -> int:
    """What it took to make a value, in elements."""
    if isinstance(value, str):
        return len(value) // CHARACTERS_PER_ELEMENT
    return len(value) if isinstance(value, list) else 0


def _width(value: Any) -> int:
    """What a function costs that looks at each element of a value, but not into it."""
    if isinstance(value, list):
        return len(value) + sum(len(each) // CHARACTERS_PER_ELEMENT for each in value if isinstance(each, str))
    return len(value) if isinstance(value, dict) else _weight(value)


def _writable(number: float) -> bool:
    """Whether JSON can carry the number."""
    return number.bit_length() <= MAX_NUMBER_BITS if isinstance(number, int) else isfinite(number)


def _unfit(why: str, field: str) -> InvalidArguments:
    return InvalidArguments((field,), why, "JMESPath, e.g. users[?email=='a@example.com'].id or length(users).")

"""JMESPath queries on an answer, with a limit on what an expression may cost."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from math import isfinite
from time import monotonic
from typing import Any

from jmespath import compile as parsed
from jmespath.exceptions import JMESPathError, JMESPathTypeError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Message, message
from saasus_mcp.saasus.response_body import check_depth

FUNCTIONS: Any = Functions()
MAX_EXPRESSION_LENGTH = 1_000
FORMULA = re.compile(r"'*(?:[\t\r\n]|[\s\u200b\ufeff]*[=+\-@＝＋－＠])")  # noqa: RUF001 - spreadsheets take the full-width signs, too
"""The beginning of a text that a spreadsheet may read as a formula. Guarded texts match, too, so that the guard can be undone."""
MAX_WORK = 1_000_000
"""Steps and elements of one evaluation: about a second, and some tens of megabytes."""
MAX_SECONDS = 5.0
CHARACTERS_PER_ELEMENT = 16
"""Characters that cost as much as one element."""
CONTAINER_COST = 4
"""The cost of a new list or object, which needs more memory than its elements."""
CONTAINER_NODES = ("multi_select_list", "multi_select_dict")
EXPRESSION_FUNCTIONS = ("map", "sort_by", "min_by", "max_by")
DEEP_FUNCTIONS = ("to_string", "contains")
"""Functions that may walk all of a value."""
MAX_NUMBER_LENGTH = 400
MAX_NUMBER_BITS = 1024
MAX_CSV_CELLS = 1_000_000
"""Rows times columns. Each row can add columns."""


class _Unfit(Exception):
    """The expression cannot be evaluated on this answer, or costs too much."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


class _Bounded(TreeInterpreter):
    """Evaluates an expression within a budget. A large step is charged before it is made.

    An expression can double its input again and again, in lists that hold the same list twice. An operation that walks such a
    list completely, such as a comparison, is charged for the complete walk.
    """

    def __init__(self) -> None:
        super().__init__()
        self._left = MAX_WORK
        self._until = monotonic() + MAX_SECONDS

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        if node["type"] == "expref":
            raise _Unfit(message("server.query_bare_expression"))
        found = super().visit(node, *args, **kwargs)
        self._charge(1 + _weight(found) + (CONTAINER_COST if node["type"] in CONTAINER_NODES else 0))
        if isinstance(found, float | int) and not _writable(found):
            raise _Unfit(message("server.query_bad_number"))
        return found

    def visit_comparator(self, node: Any, value: Any) -> Any:
        if node["value"] not in ("eq", "ne"):
            return super().visit_comparator(node, value)
        left, right = (self.visit(child, value) for child in node["children"])
        if isinstance(left, dict | list) and isinstance(right, dict | list):
            self._charge(self._walk_cost(left))
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
            self._charge(self._walk_cost(each) if name in DEEP_FUNCTIONS else _width(each))
        if name == "join" and isinstance(given[0], str) and isinstance(given[-1], list):
            self._charge(len(given[0]) * len(given[-1]) // CHARACTERS_PER_ELEMENT)
        if name == "to_number" and isinstance(given[0], str) and len(given[0]) > MAX_NUMBER_LENGTH:
            raise _Unfit(message("server.query_bad_number"))
        return FUNCTIONS.call_function(name, given)

    def measure(self, value: Any) -> None:
        """Check the cost of writing the value: its parts may be shared many times."""
        self._left = MAX_WORK
        self._charge(self._walk_cost(value))

    def _walk_cost(self, value: Any) -> int:
        """Return the cost of a walk over all of a value, or slightly more than the remaining budget."""
        stack, cost = [value], 0
        while stack and cost <= self._left:
            node = stack.pop()
            cost += 1 + (_weight(node) if isinstance(node, str) else 0)
            if isinstance(node, dict | list):
                stack.extend(node.values() if isinstance(node, dict) else node)
        return cost

    def _charge(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0 or monotonic() > self._until:
            raise _Unfit(message("server.query_too_large"))


def parse_expression(expression: str, field: str = "expression") -> Any:
    """Return the tree of an expression, checked as far as possible without the value.

    Args:
        field: the argument that an error names.

    Raises:
        InvalidArguments: the expression is not JMESPath, or it calls an unknown function or passes a wrong number of arguments.
    """
    if len(expression) > MAX_EXPRESSION_LENGTH:
        raise _unfit(message("server.query_too_long", count=MAX_EXPRESSION_LENGTH), field)
    with _named(field):
        tree = parsed(expression).parsed
        json.dumps(tree, ensure_ascii=False, allow_nan=False).encode()  # the tree may contain literal texts and numbers
        _check_functions(tree)
    return tree


def run_query(value: Any, expression: str, field: str = "expression") -> Any:
    """Return the result of an expression on a value.

    Args:
        field: the argument that an error names.

    Raises:
        InvalidArguments: the expression is not JMESPath, does not fit the value, or costs too much.
    """
    tree = parse_expression(expression, field)
    with _named(field):
        working = _Bounded()
        found = working.visit(tree, value)
        working.measure(found)
        check_depth(found)
    return found


def _check_functions(tree: Any) -> None:
    """Check that each function in a tree exists and gets a valid number of arguments."""
    stack = [tree]
    while stack:
        node = stack.pop()
        stack.extend(child for child in node["children"] if isinstance(child, dict))  # a slice has numbers
        if node["type"] != "function_expression":
            continue
        name, given = node["value"], len(node["children"])
        known = FUNCTIONS.FUNCTION_TABLE.get(name)
        if known is None:
            raise _Unfit(message("server.query_unknown_function", name=name))
        takes = len(known["signature"])
        variadic = bool(takes) and bool(known["signature"][-1].get("variadic"))
        if given < takes or (given > takes and not variadic):
            counts: dict[str, Any] = {"name": name, "count": takes, "given": given}
            raise _Unfit(
                message("server.query_argument_count_min" if variadic else "server.query_argument_count", **counts)
            )


@contextmanager
def _named(field: str) -> Iterator[None]:
    """Turn every error of an expression into one that names its argument."""
    try:
        yield
    except JMESPathTypeError as error:  # its own text repeats the value, which may be of any size
        wanted = " or ".join(error.expected_types)
        given: dict[str, Any] = {"name": error.function_name, "expected": wanted, "given": error.actual_type}
        raise _unfit(message("server.query_argument_type", **given), field) from None
    except _Unfit as error:
        raise _unfit(error.message, field) from None
    except JMESPathError as error:
        detail = " ".join(str(error).split())[:300].rstrip(".")
        raise _unfit(message("server.query_invalid", detail=detail), field) from None
    except RecursionError:
        raise _unfit(message("server.query_too_deep"), field) from None
    except Exception:  # noqa: BLE001 - the library raises whatever Python does on a value that does not fit
        raise _unfit(message("server.query_mismatch"), field) from None


def format_csv(value: Any) -> str:
    """Return a list of objects, lists or plain values as CSV, with a header if the items have names.

    Raises:
        InvalidArguments: the value is not a list, or has too many cells.
    """
    if not isinstance(value, list):
        raise InvalidArguments.at(("format",), "server.csv_not_a_list")
    named = [row for row in value if isinstance(row, dict)]
    names = list(dict.fromkeys(name for row in named for name in row))
    if len(names) * len(value) > MAX_CSV_CELLS:
        raise InvalidArguments.at(("format",), "server.csv_too_large", rows=len(value), columns=len(names))
    written = io.StringIO()
    writer = csv.writer(written)
    if names:
        writer.writerow([csv_cell(name) for name in names])
    for row in value:
        cells = [row.get(name) for name in names] if isinstance(row, dict) else row if isinstance(row, list) else [row]
        writer.writerow([csv_cell(each) for each in cells])
    return written.getvalue()


def csv_cell(value: Any) -> str:
    """Return a value as a cell of a CSV. A text that looks like a formula gets an apostrophe, because it comes from outside."""
    if isinstance(value, str):
        return f"'{value}" if looks_like_formula(value) else value
    if value is None:
        return ""
    if isinstance(value, bool | int | float | dict | list):
        return compact_json(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return f"'{value}" if looks_like_formula(str(value)) else str(value)


def looks_like_formula(text: str) -> bool:
    """Return whether a spreadsheet may read a text as a formula, or the text looks like one that was guarded."""
    return FORMULA.match(text) is not None


def _weight(value: Any) -> int:
    """Return the number of elements that were made for a value."""
    if isinstance(value, str):
        return len(value) // CHARACTERS_PER_ELEMENT
    return len(value) if isinstance(value, list) else 0


def _width(value: Any) -> int:
    """Return the cost of a function that looks at each element of a value, but not inside it."""
    if isinstance(value, list):
        return len(value) + sum(len(each) // CHARACTERS_PER_ELEMENT for each in value if isinstance(each, str))
    return len(value) if isinstance(value, dict) else _weight(value)


def _writable(number: float) -> bool:
    return number.bit_length() <= MAX_NUMBER_BITS if isinstance(number, int) else isfinite(number)


def _unfit(why: Message, field: str) -> InvalidArguments:
    return InvalidArguments((field,), why, message("server.query_hint"))

"""Evaluate the CEL expressions of effects.yaml over arguments, targets and answers.

The runtime is cel-expr-python, by the authors of CEL: it has access to nothing but the values it is given, and takes
microseconds for an expression. It is imported at the first use of an expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message

if TYPE_CHECKING:
    from cel_expr_python import cel

TARGET = ("args", "target")
"""The variables of an expression by default."""


class ExpressionError(SaasusMcpError):
    """An expression is not valid CEL or uses unknown variables."""


@cache
def compile_expression(text: str, names: tuple[str, ...] = TARGET) -> cel.Expression:
    """Return the parsed and checked expression over these variables. Raise ExpressionError if the expression does not compile."""
    try:
        return cel_environment(names).compile(text)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ExpressionError(message("catalog.invalid_expression", expression=repr(text), reason=reason)) from None


def evaluate_over(text: str, variables: Mapping[str, Any]) -> Any:
    """Return the value over any variables.

    Returns None if the expression selects a missing field or exceeds the limits of the runtime.
    """
    expression = compile_expression(text, tuple(sorted(variables)))
    try:
        result = expression.eval(data=dict(variables))
    except RuntimeError:
        return None
    return None if result.type().name() == "ERROR" else _sort_keys(result.plain_value())


def _sort_keys(value: Any) -> Any:
    """Sort the keys of every map. CEL has no order of keys, and people compare a question in two places."""
    if isinstance(value, dict):
        return {name: _sort_keys(value[name]) for name in sorted(value, key=str)}
    return [_sort_keys(item) for item in value] if isinstance(value, list) else value


@cache
def cel_environment(names: tuple[str, ...], maps: frozenset[str] = frozenset({"args"})) -> cel.Env:
    """Return a CEL environment with these variables. Those in `maps` are maps with string keys, the others have any type."""
    from cel_expr_python import cel  # noqa: PLC0415 - only when an expression is used

    map_type = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return cel.NewEnv(variables={name: map_type if name in maps else cel.Type.DYN for name in names})

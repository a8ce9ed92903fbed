"""The expressions of effects.yaml: CEL over what a call is given, what was there and what a read answered.

Evaluated by cel-expr-python, the C++ runtime of the language's own authors: no dependencies, no access to anything but
the values it is given, microseconds an expression. Imported only when a recipe is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from saasus_mcp.common.errors import SaasusMcpError

if TYPE_CHECKING:
    from cel_expr_python import cel

TARGET = ("args", "target")
"""What an expression speaks of where nothing else is said."""


class ExpressionError(SaasusMcpError):
    """An expression is not CEL, or speaks of something else than it may."""


@cache
def compile_expression(text: str, names: tuple[str, ...] = TARGET) -> cel.Expression:
    """The expression over these names, parsed and checked.

    Raises:
        ExpressionError: it does not compile.
    """
    try:
        return _environment(names).compile(text)
    except RuntimeError as error:
        raise ExpressionError(f"{text!r} does not compile: {str(error).splitlines()[0]}") from None


def evaluate_expression(text: str, args: Mapping[str, Any], target: Any = None) -> Any:
    """The expression's value over `args` and `target`; None where it speaks of something that is not there."""
    return evaluate_over(text, {"args": dict(args), "target": target})


def evaluate_over(text: str, given: Mapping[str, Any]) -> Any:
    """The expression's value over what is given; None where it has none, or more work than the runtime allows it."""
    expression = compile_expression(text, tuple(sorted(given)))
    try:
        found = expression.eval(data=dict(given))
    except RuntimeError:
        return None
    return None if found.type().name() == "ERROR" else _ordered(found.plain_value())


def _ordered(found: Any) -> Any:
    """Sort the keys of every map: CEL keeps no order, and people compare the same question in two places."""
    if isinstance(found, dict):
        return {name: _ordered(found[name]) for name in sorted(found, key=str)}
    return [_ordered(item) for item in found] if isinstance(found, list) else found


@cache
def _environment(names: tuple[str, ...]) -> cel.Env:
    from cel_expr_python import cel  # noqa: PLC0415 - only when a recipe is used

    arguments = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return cel.NewEnv(variables={name: arguments if name == "args" else cel.Type.DYN for name in names})

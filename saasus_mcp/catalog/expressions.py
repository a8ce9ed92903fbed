"""The expressions of effects.yaml: CEL over `args` (the call's arguments) and `target` (what a read answered).

Evaluated by cel-expr-python, the C++ runtime of the language's own authors: no dependencies, no access to anything but
the values it is given, microseconds an expression. Imported only when a recipe is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from saasus_mcp.errors import SaasusMcpError

if TYPE_CHECKING:
    from cel_expr_python import cel


class ExpressionError(SaasusMcpError):
    """An expression is not CEL, or speaks of something else than `args` and `target`."""


@cache
def compiled(text: str) -> cel.Expression:
    """The expression, parsed and checked.

    Raises:
        ExpressionError: it does not compile.
    """
    try:
        return _environment().compile(text)
    except RuntimeError as error:
        raise ExpressionError(f"{text!r} does not compile: {str(error).splitlines()[0]}") from None


def evaluate(text: str, args: Mapping[str, Any], target: Any = None) -> Any:
    """The expression's value; None where it speaks of something that is not there."""
    value = compiled(text).eval(data={"args": dict(args), "target": target})
    return None if value.type().name() == "ERROR" else value.plain_value()


@cache
def _environment() -> cel.Env:
    from cel_expr_python import cel  # noqa: PLC0415 - only when a recipe is used

    names = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return cel.NewEnv(variables={"args": names, "target": cel.Type.DYN})

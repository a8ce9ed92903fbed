"""Find and hide secrets at the paths that the catalogue marks, in the arguments of a call and in an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_path import JsonPath, format_schema_path
from saasus_mcp.common.json_tree import map_scalars

Hide = Callable[[str], str]
"""Takes a secret and returns what to show in its place."""

REMOVED = "[redacted]"
"""Stands in an answer where a secret was."""
HIDDEN_SECRET = "[secret]"  # noqa: S105 - a name, not a secret
HANDLE_SCHEME = "secret://"
"""Begins a handle, which stands for a secret in an answer and in arguments."""
Mask = dict[str, Any]
"""Paths as a tree (see `compile_mask`)."""


def redact_arguments(operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for people, the store and the audit log: secrets hidden, secret handles unchanged.

    An equal text in another argument stays, since a caller could otherwise hide the target by repeating it as a secret.
    """
    return _hide_secrets(operation, arguments, lambda text: text if text.startswith(HANDLE_SCHEME) else HIDDEN_SECRET)


def is_secret(operation: Operation, path: JsonPath) -> bool:
    """Return whether a field of the arguments, or an object or map that contains it, is marked as secret."""
    place = format_schema_path(path, operation.input_schema)
    return any(
        place == secret or place.startswith((secret + ".", secret + "[", secret + "{"))
        for secret in operation.secret_inputs
    )


def top_level_names(paths: Iterable[str]) -> set[str]:
    """Return the first field of each path: `users` of `users[].password`."""
    return {path.partition(".")[0].rstrip("[]{}") for path in paths}


def secret_values(operation: Operation, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the secrets among the arguments, so that answers can be redacted."""
    if not operation.secret_inputs:
        return ()
    secrets: list[str] = []

    def collect(text: str) -> str:
        secrets.append(text)
        return HIDDEN_SECRET

    _hide_secrets(operation, arguments, collect)
    return tuple(secrets)


def _hide_secrets(operation: Operation, arguments: Mapping[str, Any], hide: Hide) -> dict[str, Any]:
    if not operation.secret_inputs:
        return dict(arguments)
    mask = compile_mask(operation.secret_inputs)
    return {name: _hide_marked(value, mask.get(name), hide) for name, value in arguments.items()}


def _hide_marked(value: Any, mask: Mask | None, hide: Hide) -> Any:
    if mask is None:
        return value
    if not mask:
        return hide_all_values(value, hide)
    if isinstance(value, dict):
        return {name: _hide_marked(item, mask.get(name, mask.get("{}")), hide) for name, item in value.items()}
    if isinstance(value, list):
        return [_hide_marked(item, mask.get("[]"), hide) for item in value]
    return value


def compile_mask(paths: tuple[str, ...]) -> Mask:
    """Return paths as a tree to walk beside a value: `keys[].secret` is `{"keys": {"[]": {"secret": {}}}}`.

    An empty subtree marks everything below it.
    """
    tree: Mask = {}
    for path in paths:
        node = tree
        for step in path.replace("[]", ".[]").replace("{}", ".{}").strip(".").split("."):
            node = node.setdefault(step, {})
    return tree


def hide_all_values(value: Any, hide: Hide) -> Any:
    """Hide every text and number inside a value and keep its structure. Empty texts and booleans reveal nothing."""

    def convert(item: Any) -> Any:
        if item in ("", REMOVED) or item is None or isinstance(item, bool):
            return item
        return hide(item if isinstance(item, str) else json.dumps(item))

    return map_scalars(value, convert)


def redact(_: str) -> str:
    """Return the mark of a removed secret."""
    return REMOVED

"""Replace operation ids in texts by tool names: a model calls `auth_get_tenant`, not `GetTenant`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from saasus_mcp.common.json_tree import map_scalars

Row = dict[str, Any]

_TEXTS = frozenset({"title", "description", "terse", "empty", "input_texts", "output_texts"})
_SCHEMAS = ("input_schema", "output_schema", "variants")


class ToolNameRewriter:
    """Replaces operation ids by tool names.

    Args:
        rows: compiled rows of all operations.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._tools: dict[str, dict[str, str]] = {}
        for row in rows:
            self._tools.setdefault(row["operation_id"], {})[row["module"]] = row["tool"]
        modules = "|".join({module for tools in self._tools.values() for module in tools})
        ids = "|".join(self._tools)
        self._mention = re.compile(rf"(?<![A-Za-z0-9_])(?:({modules})[. ])?({ids})(?![A-Za-z0-9_])")

    def rewrite(self, row: Row) -> None:
        """Rewrite every text of a row in place.

        Raises:
            ValueError: a text names an operation of several modules without naming the module.
        """
        for key in _TEXTS & row.keys():
            row[key] = self._in_all(row[key], row["module"])
        for key in _SCHEMAS:
            row[key] = self._in_descriptions(row[key], row["module"])
        row["effects"] = self._in_translations(row["effects"], row["module"])

    def text(self, text: str, module: str) -> str:
        """Rewrite one text of a module. `auth GetTenant` and `auth.GetTenant` name the module explicitly."""
        return self._mention.sub(lambda match: self._tool(match[2], match[1] or module, text), text)

    def _tool(self, operation_id: str, module: str, text: str) -> str:
        tools = self._tools[operation_id]
        if module in tools:
            return tools[module]
        if len(tools) > 1:
            raise ValueError(f"{operation_id} is in {sorted(tools)}: name the module in {text!r}")
        return next(iter(tools.values()))

    def _in_all(self, value: Any, module: str) -> Any:
        return map_scalars(value, lambda item: self.text(item, module) if isinstance(item, str) else item)

    def _in_descriptions(self, value: Any, module: str) -> Any:
        """Rewrite the descriptions of a schema. A property with the name `description` is not a text."""
        if isinstance(value, Mapping):
            return {
                key: self.text(item, module)
                if key == "description" and isinstance(item, str)
                else self._in_descriptions(item, module)
                for key, item in value.items()
            }
        return [self._in_descriptions(item, module) for item in value] if isinstance(value, list | tuple) else value

    def _in_translations(self, value: Any, module: str) -> Any:
        """Rewrite the texts in both languages, `{en: …, ja: …}`. Any other string is a key or an expression."""
        if isinstance(value, Mapping):
            if value.keys() == {"en", "ja"}:
                return self._in_all(value, module)
            return {key: self._in_translations(item, module) for key, item in value.items()}
        return [self._in_translations(item, module) for item in value] if isinstance(value, list) else value

"""Texts that name operations of the API by id, rewritten to name the tools: a model calls `auth_get_tenant`, not `GetTenant`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Row = dict[str, Any]

TEXTS = ("title", "description", "terse", "input_texts", "output_texts")
TEXTS_OF_EFFECTS = ("why", "preconditions")
SCHEMAS = ("input_schema", "output_schema", "variants")


class ToolNameRewriter:
    """The tools of all operations, by the ids that the documents use.

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
        """Rewrite every text of a row that a person or a model reads, in place.

        Raises:
            ValueError: a text names an operation that several modules have, without saying which module.
        """
        for key in TEXTS:
            row[key] = self._in_all(row[key], row["module"])
        for key in SCHEMAS:
            row[key] = self._in_descriptions(row[key], row["module"])
        effects = row["effects"]
        for key, value in effects.items():
            effects[key] = (
                self._in_all(value, row["module"])
                if key in TEXTS_OF_EFFECTS
                else self._in_translations(value, row["module"])
            )

    def text(self, text: str, module: str) -> str:
        """A text of a module with tools in place of operation ids. `auth GetTenant` and `auth.GetTenant` name the module."""
        return self._mention.sub(lambda found: self._tool(found[2], found[1] or module, text), text)

    def _tool(self, operation_id: str, module: str, text: str) -> str:
        tools = self._tools[operation_id]
        if module in tools:
            return tools[module]
        if len(tools) > 1:
            raise ValueError(f"{operation_id} is in {sorted(tools)}: name the module in {text!r}")
        return next(iter(tools.values()))

    def _in_all(self, value: Any, module: str) -> Any:
        if isinstance(value, Mapping):
            return {key: self._in_all(item, module) for key, item in value.items()}
        if isinstance(value, list):
            return [self._in_all(item, module) for item in value]
        return self.text(value, module) if isinstance(value, str) else value

    def _in_descriptions(self, value: Any, module: str) -> Any:
        """A schema; a property may be called `description`, which is then no text."""
        if isinstance(value, Mapping):
            return {
                key: self.text(item, module)
                if key == "description" and isinstance(item, str)
                else self._in_descriptions(item, module)
                for key, item in value.items()
            }
        return [self._in_descriptions(item, module) for item in value] if isinstance(value, list | tuple) else value

    def _in_translations(self, value: Any, module: str) -> Any:
        """What holds texts in both languages, as `{en: …, ja: …}`; every other string is a key or an expression."""
        if isinstance(value, Mapping):
            if value.keys() == {"en", "ja"}:
                return self._in_all(value, module)
            return {key: self._in_translations(item, module) for key, item in value.items()}
        return [self._in_translations(item, module) for item in value] if isinstance(value, list) else value

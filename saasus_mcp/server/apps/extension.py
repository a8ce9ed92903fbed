"""What the extension is called on the wire, which clients declare it, and which app shows a tool's results.

The early answers need it before the SDK is loaded, so nothing here imports the SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from saasus_mcp.catalog import Operation


EXTENSION_ID = "io.modelcontextprotocol/ui"
APP_MIME_TYPE = "text/html;profile=mcp-app"
APPS_URI = "ui://saasus/"
MAX_OTHER_FIELDS = 4
"""Fields beside the rows with which an answer still counts as a list: a cursor, totals, a period."""
ASKING_LEVELS = frozenset({"write_sensitive", "destructive", "critical"})
"""Levels of operations that a person is asked about, and that may wait for an approval."""

AppName = Literal["approval", "job", "table"]


def declares_apps(extensions: object) -> bool:
    """Return whether a client shows apps, from the extensions among its capabilities."""
    settings = extensions.get(EXTENSION_ID) if isinstance(extensions, Mapping) else None
    mime_types = settings.get("mimeTypes") if isinstance(settings, Mapping) else None
    return isinstance(mime_types, list | tuple) and APP_MIME_TYPE in mime_types


def app_of_operation(operation: Operation) -> AppName | None:
    """Return the app that shows the results of an operation: rows, or an approval that it waits for."""
    if operation.level in ASKING_LEVELS:
        return "approval"
    return "table" if operation.reads and _answers_rows(operation) else None


def tool_ui(app: AppName | None, *, for_apps: bool = False) -> dict[str, Any]:
    """Return `_meta.ui` of a tool.

    Args:
        app: the app that shows its results.
        for_apps: whether apps may call the tool. For every other tool, the client must refuse the call of an app.
    """
    shown = {"resourceUri": APPS_URI + app} if app is not None else {}
    return {**shown, "visibility": ["model", "app"] if for_apps else ["model"]}


def with_ui(tool: dict[str, Any], ui: Mapping[str, Any]) -> dict[str, Any]:
    """Return a serialized tool with its `_meta.ui`."""
    return {**tool, "_meta": {**tool.get("_meta", {}), "ui": ui}}


def with_extension(capabilities: dict[str, Any]) -> dict[str, Any]:
    """Return serialized capabilities of the server that name the extension."""
    return {**capabilities, "extensions": {**capabilities.get("extensions", {}), EXTENSION_ID: {}}}


def _answers_rows(operation: Operation) -> bool:
    fields = operation.output_schema.get("properties", {})
    rows = [name for name, schema in fields.items() if schema.get("items", {}).get("type") == "object"]
    return len(rows) == 1 and "id" not in fields and len(fields) <= 1 + MAX_OTHER_FIELDS

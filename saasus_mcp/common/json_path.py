"""Where in the arguments a value stands, and the error that names it."""

from __future__ import annotations

from typing import Any

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message

Schema = dict[str, Any]
JsonPath = tuple[str | int, ...]
MAX_PATH_LENGTH = 80
"""Of a field's name in an error: a client can make names as long as it likes."""


def format_path(place: JsonPath) -> str:
    """The place as a caller writes it: `("tiers", 0, "up_to")` is `tiers[0].up_to`."""
    text = ""
    for step in place:
        part = (
            f"[{step}]"
            if isinstance(step, int)
            else step
            if len(step) <= MAX_PATH_LENGTH
            else step[:MAX_PATH_LENGTH] + "…"
        )
        text += f".{part}" if text and isinstance(step, str) else part
    return text.encode("utf-8", "replace").decode("utf-8")


def format_schema_path(place: JsonPath, schema: Schema) -> str:
    """The place as the catalogue writes it: `envs[].id`, and `attributes{}` for any key of a map."""
    text = ""
    node: dict[str, Any] = schema
    for step in place:
        if isinstance(step, int):
            text, node = text + "[]", node.get("items", {})
        elif step in node.get("properties", {}):
            text, node = f"{text}.{step}" if text else step, node["properties"][step]
        else:
            below = node.get("additionalProperties", {})
            text, node = text + "{}", below if isinstance(below, dict) else {}
        node = next((branch for branch in node.get("anyOf", ()) if branch.get("type") != "null"), node)
    return text


class InvalidArguments(SaasusMcpError):
    """A value is wrong and nothing was sent. `field` names it as the caller wrote it (`tiers[0].up_to`)."""

    def __init__(self, place: JsonPath, message: Message | str, mend: Message | str = "") -> None:
        self.field = format_path(place)
        super().__init__(f"{self.field}: {message}" if self.field else message, mend)

"""The difference that a person sees before a client's file is written. Values of other programs are hidden: they may be secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from saasus_mcp.clients import jsonc
from saasus_mcp.clients.entry_editing import INPUTS_KEY, is_input
from saasus_mcp.clients.jsonc import JsonChild, JsonNode
from saasus_mcp.clients.known_clients import KnownClient

HIDDEN = "…"
SECRET_HOLDERS = frozenset({"env", "headers"})
PUBLIC_VARIABLES = re.compile(r"SAASUS_API_URL_BASE|SAASUS_MCP_[A-Z_]+")
"""Variables of this program that hold no secret."""
TABLE_HEADER = re.compile(r"\s*\[{1,2}(?P<name>[^=]*?)\]{1,2}\s*(?:#|$)")


def diff_config(client: KnownClient, name: str, before: str, after: str) -> str:
    """Return a unified diff with two lines of context, or an empty text if nothing changes."""
    old, new = (_masked(client, name, text).splitlines() for text in (before, after))
    return "\n".join(list(difflib.unified_diff(old, new, lineterm="", n=2))[2:])


def _masked(client: KnownClient, name: str, text: str) -> str:
    if client.format == "toml":
        return "\n".join(_masked_toml(client, name, text))
    if jsonc.is_blank(text):
        return ""
    for start, end in sorted(_strings_to_hide(jsonc.parse_jsonc(text), client, name), reverse=True):
        text = f'{text[:start]}"{HIDDEN}"{text[end:]}'
    return text


def _strings_to_hide(root: JsonNode, client: KnownClient, name: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of the strings to hide."""
    for child in root.children:
        for inner in child.node.children:
            if child.key == client.servers_key and inner.key == name:
                yield from _entry_secrets(inner.node)
            elif not (child.key == INPUTS_KEY and is_input(inner.node.value, name)):
                yield from _strings(inner)
        if not child.node.children:
            yield from _strings(child)


def _entry_secrets(entry: JsonNode) -> Iterator[tuple[int, int]]:
    """Yield start and end of the strings in this server's entry that may be secret: neither references nor public variables."""
    for child in entry.children:
        if child.key in SECRET_HOLDERS:
            for variable in child.node.children:
                if "$" not in str(variable.node.value) and not PUBLIC_VARIABLES.fullmatch(variable.key or ""):
                    yield from _strings(variable)


def _strings(child: JsonChild) -> Iterator[tuple[int, int]]:
    if isinstance(child.node.value, str):
        yield child.node.start, child.node.end
    for inner in child.node.children:
        yield from _strings(inner)


def _masked_toml(client: KnownClient, name: str, text: str) -> Iterator[str]:
    ours = f"{client.servers_key}.{name}"
    inside, secret = False, False
    for line in text.removeprefix("\ufeff").splitlines():
        header = TABLE_HEADER.match(line)
        if header:
            inside = header["name"] == ours or header["name"].startswith(f"{ours}.")
            secret = inside and header["name"] != ours
            yield line
        elif inside and not (secret and not PUBLIC_VARIABLES.match(line)) and not line.lstrip().startswith("env ="):
            yield line
        else:
            yield re.sub(r"=.*", f"= {HIDDEN}", line) if "=" in line else HIDDEN if line.strip() else line

"""Our entry put into the text of a client's file, and taken out; all else stays as it was, which is looked at each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saasus_mcp.clients import jsonc, jsonc_patch, toml_tables
from saasus_mcp.clients.known_clients import KnownClient
from saasus_mcp.clients.server_entry import ServerEntry, input_prefix
from saasus_mcp.common.errors import SaasusMcpError

INPUTS_KEY = "inputs"


class UneditableConfig(SaasusMcpError):
    """A client's file is not in a form that can be edited without loss. Nothing was written."""


def put_entry(text: str, client: KnownClient, name: str, entry: ServerEntry) -> str:
    """The text with our entry under this name, and the inputs that it refers to.

    Raises:
        Unreadable: the text is not what the client reads, or something of others would change.
    """
    try:
        if client.format == "toml":
            new = toml_tables.put_table(text, client.servers_key, name, entry.value)
        else:
            new = jsonc_patch.put_value(
                _with_inputs(text, client, name, entry), (client.servers_key, name), dict(entry.value)
            )
        kept = _others(new, client, name) == _others(text, client, name)
        ours = read_servers(new, client).get(name) == entry.value
    except (jsonc.JsonSyntaxError, toml_tables.TomlEditError) as error:
        raise _unreadable(client, error) from None
    if not (kept and ours):
        raise _unreadable(client, ValueError("other parts of the file would change"))
    return new


def remove_entry(text: str, client: KnownClient, name: str) -> str:
    """The text without our entry of this name, and without its inputs.

    Raises:
        Unreadable: the text is not what the client reads.
    """
    try:
        if client.format == "toml":
            return toml_tables.remove_table(text, client.servers_key, name)
        text = jsonc_patch.remove_children(text, (client.servers_key,), lambda child: child.key == name)
        return _without_inputs(text, name, keep=()) if client.supports_inputs else text
    except (jsonc.JsonSyntaxError, toml_tables.TomlEditError) as error:
        raise _unreadable(client, error) from None


def render_entry(client: KnownClient, name: str, entry: ServerEntry) -> str:
    """What a file would say that holds nothing but our entry."""
    return put_entry("", client, name, entry).rstrip("\n")


def read_servers(text: str, client: KnownClient) -> Mapping[str, Any]:
    """The servers in a client's file, by name.

    Raises:
        NotJson, NotToml: the text is not what the client reads.
    """
    found = _document(text, client).get(client.servers_key, {})
    return found if isinstance(found, dict) else {}


def _with_inputs(text: str, client: KnownClient, name: str, entry: ServerEntry) -> str:
    if not client.supports_inputs:
        return text
    text = _without_inputs(text, name, keep=entry.inputs)
    there = _document(text, client).get(INPUTS_KEY) or ()
    for each in entry.inputs:
        if each not in there:
            text = jsonc_patch.append_item(text, (INPUTS_KEY,), dict(each))
    return text


def _without_inputs(text: str, name: str, keep: tuple[Mapping[str, Any], ...]) -> str:
    def is_ours(child: jsonc.JsonChild) -> bool:
        return is_input(child.node.value, name) and child.node.value not in keep

    return jsonc_patch.remove_children(text, (INPUTS_KEY,), is_ours)


def is_input(item: Any, name: str) -> bool:
    """Whether an item of `inputs` is one that our entry of this name refers to."""
    return isinstance(item, dict) and str(item.get("id", "")).startswith(input_prefix(name))


def _document(text: str, client: KnownClient) -> dict[str, Any]:
    if client.format == "toml":
        return toml_tables.parse_toml(text)
    found = jsonc.parse_jsonc(text).value if not jsonc.is_blank(text) else {}
    if not isinstance(found, dict):
        raise jsonc.JsonSyntaxError(text, 0)
    return found


def _others(text: str, client: KnownClient, name: str) -> dict[str, Any]:
    """What the text says beside our entry; a container that holds nothing else counts as missing."""
    document = dict(_document(text, client))
    document[client.servers_key] = {key: value for key, value in read_servers(text, client).items() if key != name}
    if client.supports_inputs and isinstance(document.get(INPUTS_KEY), list):
        document[INPUTS_KEY] = [item for item in document[INPUTS_KEY] if not is_input(item, name)]
    return {key: value for key, value in document.items() if value or key not in (client.servers_key, INPUTS_KEY)}


def _unreadable(client: KnownClient, error: ValueError) -> UneditableConfig:
    return UneditableConfig(
        f"{client.title}'s configuration file cannot be edited: {error}.",
        "Nothing was written. Fix the file, or add the output of `--print` manually.",
    )

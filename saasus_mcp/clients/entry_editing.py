"""Add and remove the entry of this server in the text of a client's file. Each edit checks that the rest is unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saasus_mcp.clients import jsonc, jsonc_patch, toml_tables
from saasus_mcp.clients.known_clients import KnownClient
from saasus_mcp.clients.server_entry import ServerEntry, input_prefix
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Parameter, message

INPUTS_KEY = "inputs"


class UneditableConfig(SaasusMcpError):
    """A client's file cannot be edited without loss. Nothing was written."""


def put_entry(text: str, client: KnownClient, name: str, entry: ServerEntry) -> str:
    """Return the text with this server's entry and the inputs that it refers to.

    Raises:
        UneditableConfig: the client cannot read the text, or another part of it would change.
    """
    try:
        if client.format == "toml":
            new = toml_tables.put_table(text, client.servers_key, name, entry.value)
        else:
            new = jsonc_patch.put_value(
                _with_inputs(text, client, name, entry), (client.servers_key, name), dict(entry.value)
            )
        others_unchanged = _others(new, client, name) == _others(text, client, name)
        written = read_servers(new, client).get(name) == entry.value
    except (jsonc.JsonSyntaxError, toml_tables.TomlEditError) as error:
        raise _uneditable(client, error.reason) from None
    if not (others_unchanged and written):
        raise _uneditable(client, message("clients.others_would_change"))
    return new


def remove_entry(text: str, client: KnownClient, name: str) -> str:
    """Return the text without this server's entry and its inputs. Raise UneditableConfig if the client cannot read the text."""
    try:
        if client.format == "toml":
            return toml_tables.remove_table(text, client.servers_key, name)
        text = jsonc_patch.remove_children(text, (client.servers_key,), lambda child: child.key == name)
        return _without_inputs(text, name, keep=()) if client.supports_inputs else text
    except (jsonc.JsonSyntaxError, toml_tables.TomlEditError) as error:
        raise _uneditable(client, error.reason) from None


def read_servers(text: str, client: KnownClient) -> Mapping[str, Any]:
    """Return the servers in a client's file, by name.

    Raises:
        JsonSyntaxError: the client reads JSON, and the text is not JSON.
        TomlEditError: the client reads TOML, and the text is not TOML.
    """
    found = _document(text, client).get(client.servers_key, {})
    return found if isinstance(found, dict) else {}


def _with_inputs(text: str, client: KnownClient, name: str, entry: ServerEntry) -> str:
    if not client.supports_inputs:
        return text
    text = _without_inputs(text, name, keep=entry.inputs)
    present = _document(text, client).get(INPUTS_KEY) or ()
    for item in entry.inputs:
        if item not in present:
            text = jsonc_patch.append_item(text, (INPUTS_KEY,), dict(item))
    return text


def _without_inputs(text: str, name: str, keep: tuple[Mapping[str, Any], ...]) -> str:
    def is_stale(child: jsonc.JsonChild) -> bool:
        return is_input(child.node.value, name) and child.node.value not in keep

    return jsonc_patch.remove_children(text, (INPUTS_KEY,), is_stale)


def is_input(item: Any, name: str) -> bool:
    """Return True for an item of `inputs` that this server's entry refers to."""
    return isinstance(item, dict) and str(item.get("id", "")).startswith(input_prefix(name))


def _document(text: str, client: KnownClient) -> dict[str, Any]:
    if client.format == "toml":
        return toml_tables.parse_toml(text)
    found = jsonc.parse_jsonc(text).value if not jsonc.is_blank(text) else {}
    if not isinstance(found, dict):
        raise jsonc.JsonSyntaxError(text, 0)
    return found


def _others(text: str, client: KnownClient, name: str) -> dict[str, Any]:
    """Return the document without this server's entry. An empty container counts as missing."""
    document = dict(_document(text, client))
    document[client.servers_key] = {key: value for key, value in read_servers(text, client).items() if key != name}
    if client.supports_inputs and isinstance(document.get(INPUTS_KEY), list):
        document[INPUTS_KEY] = [item for item in document[INPUTS_KEY] if not is_input(item, name)]
    return {key: value for key, value in document.items() if value or key not in (client.servers_key, INPUTS_KEY)}


def _uneditable(client: KnownClient, reason: Parameter) -> UneditableConfig:
    return UneditableConfig.of("clients.uneditable", client=client.title, reason=reason)

"""Our entry put into the text of a client's file, and taken out; all else stays as it was, which is looked at each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saasus_mcp.clients import jsonc, patching, tables
from saasus_mcp.clients.entry import Entry, input_prefix
from saasus_mcp.clients.known import Client
from saasus_mcp.errors import SaasusMcpError

INPUTS = "inputs"


class Unreadable(SaasusMcpError):
    """A client's file is not in a form that can be edited without loss. Nothing was written."""


def put(text: str, client: Client, name: str, entry: Entry) -> str:
    """The text with our entry under this name, and the inputs that it refers to.

    Raises:
        Unreadable: the text is not what the client reads, or something of others would change.
    """
    try:
        if client.form == "toml":
            new = tables.put(text, client.servers, name, entry.value)
        else:
            new = patching.put(_with_inputs(text, client, name, entry), (client.servers, name), dict(entry.value))
        kept = _others(new, client, name) == _others(text, client, name)
        ours = servers(new, client).get(name) == entry.value
    except (jsonc.NotJson, tables.NotToml) as error:
        raise _unreadable(client, error) from None
    if not (kept and ours):
        raise _unreadable(client, ValueError("other parts of the file would change"))
    return new


def without(text: str, client: Client, name: str) -> str:
    """The text without our entry of this name, and without its inputs.

    Raises:
        Unreadable: the text is not what the client reads.
    """
    try:
        if client.form == "toml":
            return tables.without(text, client.servers, name)
        text = patching.remove(text, (client.servers,), lambda child: child.key == name)
        return _without_inputs(text, name, keep=()) if client.inputs else text
    except (jsonc.NotJson, tables.NotToml) as error:
        raise _unreadable(client, error) from None


def alone(client: Client, name: str, entry: Entry) -> str:
    """What a file would say that holds nothing but our entry."""
    return put("", client, name, entry).rstrip("\n")


def servers(text: str, client: Client) -> Mapping[str, Any]:
    """The servers in a client's file, by name.

    Raises:
        NotJson, NotToml: the text is not what the client reads.
    """
    found = _document(text, client).get(client.servers, {})
    return found if isinstance(found, dict) else {}


def _with_inputs(text: str, client: Client, name: str, entry: Entry) -> str:
    if not client.inputs:
        return text
    text = _without_inputs(text, name, keep=entry.inputs)
    there = _document(text, client).get(INPUTS) or ()
    for each in entry.inputs:
        if each not in there:
            text = patching.append(text, (INPUTS,), dict(each))
    return text


def _without_inputs(text: str, name: str, keep: tuple[Mapping[str, Any], ...]) -> str:
    def is_ours(child: jsonc.Child) -> bool:
        return is_input(child.node.value, name) and child.node.value not in keep

    return patching.remove(text, (INPUTS,), is_ours)


def is_input(item: Any, name: str) -> bool:
    """Whether an item of `inputs` is one that our entry of this name refers to."""
    return isinstance(item, dict) and str(item.get("id", "")).startswith(input_prefix(name))


def _document(text: str, client: Client) -> dict[str, Any]:
    if client.form == "toml":
        return tables.read(text)
    found = jsonc.parse(text).value if not jsonc.empty(text) else {}
    if not isinstance(found, dict):
        raise jsonc.NotJson(text, 0)
    return found


def _others(text: str, client: Client, name: str) -> dict[str, Any]:
    """What the text says beside our entry; a container that holds nothing else counts as missing."""
    document = dict(_document(text, client))
    document[client.servers] = {key: value for key, value in servers(text, client).items() if key != name}
    if client.inputs and isinstance(document.get(INPUTS), list):
        document[INPUTS] = [item for item in document[INPUTS] if not is_input(item, name)]
    return {key: value for key, value in document.items() if value or key not in (client.servers, INPUTS)}


def _unreadable(client: Client, error: ValueError) -> Unreadable:
    return Unreadable(
        f"{client.title}'s configuration file cannot be edited: {error}.",
        "Nothing was written. Fix the file, or add the output of `--print` manually.",
    )

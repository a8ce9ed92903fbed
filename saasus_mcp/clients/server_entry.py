"""One server's entry in a client's file, from what is wanted; nothing is read or written here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.clients.known_clients import KnownClient

STARTUP_SECONDS = 60
"""For clients that give a server ten: `uvx` downloads it first."""

PLACEHOLDER = "<{name}>"
"""What is printed for a client that is not known, for a person to fill in."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that the client starts.

    Attributes:
        plain: variables that hold no secret, with their values.
        credentials: names of the variables that hold credentials.
        written: values of credentials to be written in clear; else each is a reference, where the client knows such.
    """

    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    credentials: tuple[str, ...] = ()
    cleartext: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """A hosted server. `token` names the variable that holds a bearer token; without one the client signs in (OAuth)."""

    url: str
    token_variable: str = ""


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """What goes into a client's file.

    Attributes:
        value: of the member or table with the server's name.
        inputs: what the client is to ask a person for, where its file declares that.
    """

    value: Mapping[str, Any]
    inputs: tuple[Mapping[str, Any], ...] = ()


def build_entry(client: KnownClient, server: LocalServer | RemoteServer, name: str) -> ServerEntry:
    """The entry of a server under this name."""
    if isinstance(server, RemoteServer):
        return ServerEntry(
            _remote(client, server, name),
            _inputs(client, [server.token_variable] if server.token_variable else [], name),
        )
    return ServerEntry(_local(client, server, name), _inputs(client, server.credentials, name))


def input_id(name: str, variable: str) -> str:
    """The id of the input that asks for a variable; by its beginning ours are known from others."""
    return f"{input_prefix(name)}{variable.lower().replace('_', '-')}"


def input_prefix(name: str) -> str:
    """What the ids of a server's inputs begin with."""
    return f"{name}."


def _local(client: KnownClient, server: LocalServer, name: str) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "stdio"} if client.writes_type else {}
    value |= {"command": server.command[0], "args": list(server.command[1:])}
    variables = dict(server.variables)
    for variable in server.credentials:
        if variable in server.cleartext:
            variables[variable] = server.cleartext[variable]
        elif client.variable_template:
            variables[variable] = _reference(client, variable, name)
    if variables:
        value["env"] = variables
    if client.forwards_variables:
        if server.credentials:
            value["env_vars"] = [each for each in server.credentials if each not in server.cleartext]
        value["startup_timeout_sec"] = STARTUP_SECONDS
    return value


def _remote(client: KnownClient, server: RemoteServer, name: str) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "http"} if client.writes_type else {}
    value[client.url_key] = server.url
    if server.token_variable and client.forwards_variables:
        value["bearer_token_env_var"] = server.token_variable
    elif server.token_variable:
        value["headers"] = {"Authorization": f"Bearer {_reference(client, server.token_variable, name)}"}
    return value


def _reference(client: KnownClient, variable: str, name: str) -> str:
    return (client.variable_template or PLACEHOLDER).format(name=variable, id=input_id(name, variable))


def _inputs(client: KnownClient, variables: tuple[str, ...] | list[str], name: str) -> tuple[Mapping[str, Any], ...]:
    if not client.supports_inputs:
        return ()
    return tuple(
        {
            "type": "promptString",
            "id": input_id(name, variable),
            "description": f"{variable} (saasus-mcp)",
            "password": not variable.endswith("SAAS_ID"),
        }
        for variable in variables
    )

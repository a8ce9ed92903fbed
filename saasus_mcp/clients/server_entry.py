"""The entry of a server in a client's file. This module reads and writes no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.clients.known_clients import KnownClient

STARTUP_SECONDS = 60
"""For clients whose default is ten seconds: `uvx` downloads the server first."""

PLACEHOLDER = "<{name}>"
"""A credential in the printed entry for an unknown client. A person replaces it."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that the client starts.

    Attributes:
        variables: variables without secrets, with their values.
        credentials: names of the variables with credentials.
        cleartext: credentials to write in clear text. The others become references if the client has references.
    """

    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    credentials: tuple[str, ...] = ()
    cleartext: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """A hosted server. Without the name of a variable with a bearer token, the client signs in with OAuth."""

    url: str
    token_variable: str = ""


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """An entry in a client's file.

    Attributes:
        value: the member or table with the server's name.
        inputs: inputs that the client asks the person for, if its file declares inputs.
    """

    value: Mapping[str, Any]
    inputs: tuple[Mapping[str, Any], ...] = ()


def build_entry(client: KnownClient, server: LocalServer | RemoteServer, name: str) -> ServerEntry:
    if isinstance(server, RemoteServer):
        return ServerEntry(
            _remote(client, server, name),
            _inputs(client, [server.token_variable] if server.token_variable else [], name),
        )
    return ServerEntry(_local(client, server, name), _inputs(client, server.credentials, name))


def input_id(name: str, variable: str) -> str:
    """Return the id of the input for a variable. Its prefix tells the inputs of this server from others."""
    return f"{input_prefix(name)}{variable.lower().replace('_', '-')}"


def input_prefix(name: str) -> str:
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


def _inputs(client: KnownClient, variables: Iterable[str], name: str) -> tuple[Mapping[str, Any], ...]:
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

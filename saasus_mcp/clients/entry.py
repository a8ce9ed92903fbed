"""One server's entry in a client's file, from what is wanted; nothing is read or written here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.clients.known import Client

STARTUP_SECONDS = 60
"""For clients that give a server ten: `uvx` downloads it first."""

PLACEHOLDER = "<{name}>"
"""What is printed for a client that is not known, for a person to fill in."""


@dataclass(frozen=True, slots=True)
class Local:
    """A server that the client starts.

    Attributes:
        plain: variables that hold no secret, with their values.
        credentials: names of the variables that hold credentials.
        written: values of credentials to be written in clear; else each is a reference, where the client knows such.
    """

    command: tuple[str, ...]
    plain: Mapping[str, str] = field(default_factory=dict)
    credentials: tuple[str, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Remote:
    """A hosted server. `token` names the variable that holds a bearer token; without one the client signs in (OAuth)."""

    url: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What goes into a client's file.

    Attributes:
        value: of the member or table with the server's name.
        inputs: what the client is to ask a person for, where its file declares that.
    """

    value: Mapping[str, Any]
    inputs: tuple[Mapping[str, Any], ...] = ()


def entry(client: Client, server: Local | Remote, name: str) -> Entry:
    """The entry of a server under this name."""
    if isinstance(server, Remote):
        return Entry(_remote(client, server, name), _inputs(client, [server.token] if server.token else [], name))
    return Entry(_local(client, server, name), _inputs(client, server.credentials, name))


def input_id(name: str, variable: str) -> str:
    """The id of the input that asks for a variable; by its beginning ours are known from others."""
    return f"{input_prefix(name)}{variable.lower().replace('_', '-')}"


def input_prefix(name: str) -> str:
    """What the ids of a server's inputs begin with."""
    return f"{name}."


def _local(client: Client, server: Local, name: str) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "stdio"} if client.typed else {}
    value |= {"command": server.command[0], "args": list(server.command[1:])}
    variables = dict(server.plain)
    for variable in server.credentials:
        if variable in server.written:
            variables[variable] = server.written[variable]
        elif client.reference:
            variables[variable] = _reference(client, variable, name)
    if variables:
        value["env"] = variables
    if client.forwards:
        if server.credentials:
            value["env_vars"] = [each for each in server.credentials if each not in server.written]
        value["startup_timeout_sec"] = STARTUP_SECONDS
    return value


def _remote(client: Client, server: Remote, name: str) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "http"} if client.typed else {}
    value[client.remote] = server.url
    if server.token and client.forwards:
        value["bearer_token_env_var"] = server.token
    elif server.token:
        value["headers"] = {"Authorization": f"Bearer {_reference(client, server.token, name)}"}
    return value


def _reference(client: Client, variable: str, name: str) -> str:
    return (client.reference or PLACEHOLDER).format(name=variable, id=input_id(name, variable))


def _inputs(client: Client, variables: tuple[str, ...] | list[str], name: str) -> tuple[Mapping[str, Any], ...]:
    if not client.inputs:
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

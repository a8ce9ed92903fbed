"""Make saasus_mcp/server/stdio/early/ready.json from the real server's own answers; with --check say whether it is stale (exit status 1)."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import anyio
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from saasus_mcp.catalog.jobs import JOBS_TOOLSET
from saasus_mcp.cli import composition
from saasus_mcp.cli.options import SurfaceOptions
from saasus_mcp.cli.serve import serve_stdio
from saasus_mcp.common.language import Language
from saasus_mcp.jobs import job_tools as jobs
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.server.apps.extension import APP_MIME_TYPE, EXTENSION_ID
from saasus_mcp.server.stdio.early import precomputed
from saasus_mcp.server.stdio.early.early_responses import META_KEY_PREFIX, STATELESS_PROTOCOL
from saasus_mcp.server.surface.instructions import server_instructions
from saasus_mcp.server.surface.toolsets import SurfaceKind
from saasus_mcp.settings.environment import MODES, Mode, read_settings

KINDS: tuple[SurfaceKind, ...] = get_args(SurfaceKind)
LANGUAGES: tuple[Language, ...] = get_args(Language)
NEWEST_BEFORE = HANDSHAKE_PROTOCOL_VERSIONS[-1]
ME = {"name": "ready", "version": "1"}
SHOWS_APPS = {"extensions": {EXTENSION_ID: {"mimeTypes": [APP_MIME_TYPE]}}}
"""The capabilities of a client that shows apps."""


def envelope(capabilities: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a request of protocol 2026-07-28."""
    return {
        "_meta": {
            META_KEY_PREFIX + "protocolVersion": STATELESS_PROTOCOL,
            META_KEY_PREFIX + "clientCapabilities": capabilities,
            META_KEY_PREFIX + "clientInfo": ME,
        }
    }


ENVELOPE = envelope({})
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def initialize(protocol: str, capabilities: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the handshake."""
    return request("initialize", {"protocolVersion": protocol, "capabilities": capabilities or {}, "clientInfo": ME})


def request(method: str, params: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """One request."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


async def said(server: Server[Any], messages: Iterable[dict[str, Any]]) -> list[str]:
    """Return the SDK's raw answers to the requests of one conversation."""
    answers = []
    to, reading = anyio.create_memory_object_stream[SessionMessage | Exception](8)
    writing, answered = anyio.create_memory_object_stream[SessionMessage](8)
    async with anyio.create_task_group() as talk, to, answered:
        talk.start_soon(server.run, reading, writing, server.create_initialization_options())
        for message in messages:
            await to.send(SessionMessage(jsonrpc_message_adapter.validate_python(message, by_name=False)))
            if "id" in message:
                answer = (await answered.receive()).message
                answers.append(answer.model_dump_json(by_alias=True, exclude_unset=True))
        talk.cancel_scope.cancel()
    return answers


def result(answer: str) -> str:
    """Return the result in an answer, as it is written."""
    before = '{"jsonrpc":"2.0","id":1,"result":'
    _hold(answer.startswith(before), answer[:200])
    return answer.removeprefix(before).removesuffix("}")


def _hold(true: bool, fault: str) -> None:  # noqa: FBT001 - what must be
    if not true:
        raise SystemExit(fault)


class Making:
    """What was seen of all servers, put together."""

    def __init__(self) -> None:
        self.templates: dict[str, str] = {}
        self.orders: dict[SurfaceKind, list[str]] = {}
        self.rows: dict[str, dict[str, Any]] = {}

    async def see(self, folder: Path, mode: Mode, kind: SurfaceKind, language: Language) -> None:
        """Take in the answers of a server with these settings, in both eras."""
        chosen = read_settings(sandbox=True, state_dir=folder, mode=mode, lang=language)
        async with (
            composition.open_pipeline(chosen) as pipeline,
            composition.open_job_runners(chosen, {"": pipeline}) as runners,
        ):
            runner = runners[""]
            server = serve_stdio.build_stdio_server(pipeline, runner, chosen, SurfaceOptions(kind, frozenset()))
            before = [initialize(NEWEST_BEFORE), INITIALIZED, request("tools/list", {})]
            opening, listed_before = await said(server, before)
            discovered, listed = await said(
                server, [request(each, ENVELOPE) for each in ("server/discover", "tools/list")]
            )
            every = frozenset(operation.toolset for operation in pipeline.catalogue) | {JOBS_TOOLSET}
            broad = serve_stdio.build_stdio_server(pipeline, runner, chosen, SurfaceOptions(kind, every))
            _, widest = await said(broad, [request(each, ENVELOPE) for each in ("server/discover", "tools/list")])
            names = [tool["name"] for tool in json.loads(widest)["result"]["tools"]]
            self.orders.setdefault(kind, names)
            toolsets = {operation.tool: operation.toolset for operation in pipeline.catalogue}
            toolsets |= {tool.name: tool.toolset for tool in jobs.build_job_tools(runner, kind)}
            with_apps = [request(each, envelope(SHOWS_APPS)) for each in ("server/discover", "tools/list")]
            _, listed_with_apps = await said(broad, with_apps)
            uis = {tool["name"]: tool["_meta"]["ui"] for tool in json.loads(listed_with_apps)["result"]["tools"]}
            told = precomputed.sdk_json(server_instructions(pipeline.destination, PRESETS[mode], kind))
        tools = json.loads(listed)["result"]["tools"]
        version = f'"protocolVersion":"{NEWEST_BEFORE}"'
        self._template(
            "initialized",
            opening,
            {told: precomputed.INSTRUCTIONS_MARK, version: f'"protocolVersion":{precomputed.VERSION_MARK}'},
        )
        self._template("discovered", discovered, {told: precomputed.INSTRUCTIONS_MARK})
        self._template("listed", listed, {precomputed.sdk_json(tools): precomputed.TOOLS_MARK})
        self._template(
            "listed_before",
            listed_before,
            {precomputed.sdk_json([precomputed.earlier_protocol_tool(tool) for tool in tools]): precomputed.TOOLS_MARK},
        )
        for tool in tools:
            toolset = toolsets.get(tool["name"], "")
            self._tool({"toolsets": {kind: toolset}, "ui": uis[tool["name"]], "tool": tool}, mode, kind, language)

    def _template(self, name: str, answer: str, parts: dict[str, str]) -> None:
        text = result(answer)
        for part, mark in parts.items():
            _hold(text.count(part) == 1, f"{name}: the answer does not hold once what depends on settings")
            text = text.replace(part, mark)
        same = self.templates.setdefault(name, text) == text
        _hold(same, f"{name}: servers differ in more than what is filled in")

    def _tool(self, seen: dict[str, Any], mode: Mode, kind: SurfaceKind, language: Language) -> None:
        tool = seen["tool"]
        title = tool["title"]
        tool["title"] = tool["annotations"]["title"] = ""
        new = {"toolsets": {}, "modes": [], "kinds": [], "titles": {}, "ui": seen["ui"], "tool": tool}
        row = self.rows.setdefault(tool["name"], new)
        same = all(precomputed.sdk_json(row[part]) == precomputed.sdk_json(seen[part]) for part in ("ui", "tool"))
        _hold(same, f"{tool['name']}: servers differ in more than its title")
        row["titles"][language] = title
        row["toolsets"] |= seen["toolsets"]
        row["modes"] += [mode] * (mode not in row["modes"])
        row["kinds"] += [kind] * (kind not in row["kinds"])

    def text(self) -> str:
        """Return the file, one tool a line."""
        head = precomputed.sdk_json(
            {
                "key": precomputed.precomputed_key(),
                "versions": [*HANDSHAKE_PROTOCOL_VERSIONS],
                "orders": self.orders,
                **self.templates,
            }
        )
        rows = ",\n".join(precomputed.sdk_json(row) for row in self.rows.values())
        return f'{head.removesuffix("}")},"tools":[\n{rows}\n]}}\n'


def made() -> str:
    """Return the file as it should be."""
    making = Making()
    with tempfile.TemporaryDirectory(prefix="saasus-mcp-ready-", ignore_cleanup_errors=True) as folder:
        for kind in KINDS:
            for mode in MODES[::-1]:  # strict first: it lists everything, in the order of all
                for language in LANGUAGES:
                    anyio.run(making.see, Path(folder), mode, kind, language)
    return making.text()


if __name__ == "__main__":
    text = made()
    if "--check" not in sys.argv[1:]:
        precomputed.PRECOMPUTED_FILE.write_text(text, encoding="utf-8")
        print(f"saasus_mcp/server/{precomputed.PRECOMPUTED_FILE.name}: {len(text.encode()) // 1024} KiB")
    elif not precomputed.PRECOMPUTED_FILE.exists() or precomputed.PRECOMPUTED_FILE.read_text(encoding="utf-8") != text:
        raise SystemExit(
            f"{precomputed.PRECOMPUTED_FILE.name} is stale: run `make catalogue` and review its difference"
        )

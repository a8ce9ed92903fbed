"""What a server on stdio has loaded after its first small read. What waits until it is needed keeps the memory small."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from tests.support.closing_api import serve_connections
from tests.support.stdio_server import OPENING, build_request, encode_lines

PROGRAM = """
import atexit, json, sys
from saasus_mcp.catalog import catalogue

modules, decoded, decode = [], [], catalogue._operation
catalogue._operation = lambda row: (decoded.append(row["key"]), decode(row))[1]

def tell():
    from mcp.types import CallToolRequestParams, CreateMessageResult

    compiled = [each.__name__ for each in (CallToolRequestParams, CreateMessageResult) if each.__pydantic_complete__]
    print(json.dumps({"decoded": decoded, "compiled": compiled, "modules": modules}), file=sys.stderr)

atexit.register(tell)
atexit.register(lambda: modules.extend(sys.modules))
from saasus_mcp.cli import main

sys.argv = ["saasus-mcp"]
main()
"""
AFTERWARDS = """
import sys
from saasus_mcp.server.sdk_imports import load_server

load_server()
assert not {"mcp.client", "uvicorn"} & {*sys.modules}, "the test shows nothing otherwise"
import mcp
import uvicorn
from mcp.server import MCPServer
from mcp import Client

print(mcp.ClientSession.__name__, mcp.types.Tool.__name__, uvicorn.Server.__name__, MCPServer.__name__, Client.__name__)
"""
RESPONSE = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"roles":[]}'
LATE = {
    *("cel_expr_python", "cryptography", "dbos", "httpcore2", "jinja2", "jmespath", "jsonschema", "jwt", "psycopg"),
    *("mcp.client", "mcp.server.mcpserver", "multiprocessing", "uvicorn"),
    *("prometheus_client", "referencing", "rpds", "tomlkit", "tomllib", "truststore", "yaml"),
    *("sqlalchemy.dialects.postgresql", "sqlalchemy.ext", "sqlalchemy.orm"),
    *("saasus_mcp.clients", "saasus_mcp.hosting", "saasus_mcp.notices"),
    *("saasus_mcp.jobs.kinds", "saasus_mcp.jobs.reports", "saasus_mcp.jobs.tables", "saasus_mcp.sandbox"),
    *("saasus_mcp.permissions.policy.file", "saasus_mcp.permissions.secrets.passphrase"),
}
"""Packages and modules that a small read does not need."""


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(RESPONSE)


async def _read_once(process: Process) -> str:
    """Have the server list its tools and read the roles. Return the answer and end the server."""
    assert process.stdin is not None
    assert process.stdout is not None
    call = build_request(3, "tools/call", name="auth_get_roles", arguments={})
    process.stdin.write(encode_lines(*OPENING, build_request(2, "tools/list"), call))
    answers = [await process.stdout.readline() for _ in range(3)]
    process.stdin.close()
    return answers[-1].decode()


async def test_a_small_read_loads_decodes_and_compiles_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    async with serve_connections(_answer) as origin:
        keys = {"SAAS_ID": "saas", "API_KEY": "key-of-the-test-1", "SECRET_KEY": "secret-of-the-test-1"}
        env = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("SAASUS_", "COV_", "COVERAGE_"))
            },
            **{f"SAASUS_{name}": value for name, value in keys.items()},
            "SAASUS_API_URL_BASE": origin,
            "SAASUS_MCP_STATE_DIR": str(tmp_path),
            "SAASUS_MCP_CONFIG": str(tmp_path / "config.toml"),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM), stdin=PIPE, stdout=PIPE, stderr=PIPE, env=env, limit=2**24
        )
        try:
            answer = await _read_once(process)
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    loaded = json.loads(said.splitlines()[-1])
    assert json.loads(answer)["result"]["structuredContent"] == {"roles": []}
    assert loaded["decoded"] == ["auth.GetRoles"]
    assert loaded["compiled"] == ["CallToolRequestParams"]
    assert {"aiohttp", "sqlalchemy"} <= {*loaded["modules"]}, "the read took the whole way"
    assert LATE & {*loaded["modules"]} == set()


async def test_a_module_that_is_not_loaded_at_the_start_can_be_imported_later() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", AFTERWARDS, stdout=PIPE)
    said, _ = await process.communicate()
    assert said.decode().split() == ["ClientSession", "Tool", "Server", "MCPServer", "Client"]

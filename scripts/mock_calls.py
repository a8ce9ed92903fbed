"""Calls every tool of the server over mocks of the published definitions: with complete and with minimal arguments.

`python -m scripts.mock_calls FOLDER`, where FOLDER has the published documents (authapi.yml and so on). Each is mocked by
Prism, which holds requests to it; a router on the loopback stands where the API's host would, and our server runs over it
as a process, on stdio. Prism comes from npm, into the user's cache folder where `--prism` names no other. Prints how
many calls had which result; exit status 1 where one was not accepted and that is not a known limit of the definitions. See
docs/clients/sdk-and-mocks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from mcp import Client, StdioServerParameters
from platformdirs import user_cache_path

from saasus_mcp.catalog import Operation, load_catalogue
from scripts.sdk_calls import Result, report, served
from scripts.with_postgres import free_port
from tests.support.arguments import body_variants, complete_arguments, minimal_arguments

PRISM = "@stoplight/prism-cli@5.14.2"
HOST = "127.0.0.1"
SECONDS = 1200.0
"""For the whole run."""
START = 120.0
"""Seconds for one mock to start."""
AMBIGUOUS = frozenset({"pricing.CreatePricingUnit", "pricing.UpdatePricingUnit"})
"""Their published bodies are a `oneOf` whose tiered shapes fit each other, so that any valid one is refused."""
TIERED = frozenset({"tiered", "tiered_usage"})
STATUS = re.compile(r"HTTP (\d{3})")
DRIFT = "differs from its documents"
OWN_EXAMPLE = "prism/errors#VIOLATIONS"
"""What Prism says where it accepts a request and then finds the definition's own example untrue to the definition."""


@dataclass
class Router:
    """An ASGI application that stands where the API's host would: `/v1/MODULE/...` goes to the mock of that module.

    The definitions name a bearer scheme, which no client of the API sends, so that the mock is given one. What a call reads
    beforehand in another module, whose mock does not run, is answered with 404.
    """

    mocks: dict[str, int] = field(default_factory=dict)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        _, _, module, rest = scope["raw_path"].decode("ascii").split("/", 3)
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        kept = {name: value for name, value in headers.items() if name in {"accept", "content-type"}}
        query = f"?{scope['query_string'].decode('ascii')}" if scope["query_string"] else ""
        port = self.mocks.get(module)
        if port is None:
            await _answer(send, httpx2.Response(404, json={"message": "This module is not mocked now."}))
            return
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
            kept["authorization"] = "Bearer x"
            url = f"http://{HOST}:{port}/{rest}{query}"
            await _answer(send, await client.request(scope["method"], url, content=body or None, headers=kept))


async def _answer(send: Any, answer: httpx2.Response) -> None:
    kind = answer.headers.get("content-type", "application/json").encode()
    head = [(b"content-type", kind), (b"content-length", str(len(answer.content)).encode())]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": head})
    await send({"type": "http.response.body", "body": answer.content})


def prism(folder: Path) -> Path:
    """Return the mock's command in this folder, fetched where it is not there yet."""
    command = folder / "node_modules" / ".bin" / "prism"
    if not command.exists():
        npm = shutil.which("npm") or sys.exit("Node and npm are needed, and npm is not on the path.")
        install = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), PRISM]
        subprocess.run(install, check=True, timeout=SECONDS)  # noqa: S603 - the arguments are ours
    return command


@asynccontextmanager
async def mocked(command: Path, document: Path, *, dynamic: bool) -> AsyncIterator[int]:
    """Yield the port of a mock of one document while entered."""
    port = free_port()
    flags = ["--errors", *(["--dynamic"] if dynamic else [])]
    process = await asyncio.create_subprocess_exec(
        command, "mock", *flags, "--host", HOST, "--port", str(port), document, stdout=subprocess.DEVNULL
    )
    try:
        await asyncio.wait_for(_listening(port), START)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _listening(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.2)
        else:
            writer.close()
            return


def server(url: str, folder: Path) -> StdioServerParameters:
    """Our server over the router, asking nobody: all that it could harm is a mock."""
    policy = folder / "policy.yaml"
    policy.write_text("version: 1\nunsafe-allow-everything: true\n", encoding="utf-8")
    environment = {
        "SAASUS_API_URL_BASE": url,
        "SAASUS_SAAS_ID": "mock",
        "SAASUS_API_KEY": "mock",
        "SAASUS_SECRET_KEY": "mock",
        "SAASUS_MCP_POLICY": str(policy),
        "SAASUS_MCP_STATE_DIR": str(folder / "state"),
        "SAASUS_MCP_CONFIG": str(folder / "config.toml"),
    }
    return StdioServerParameters(command=sys.executable, args=["-m", "saasus_mcp"], env=environment)


def wanted(module: str) -> Iterator[tuple[Operation, str, str, dict[str, Any]]]:
    """Yield the calls to a module: each operation, and each shape of its body, with complete and with minimal arguments."""
    for operation in load_catalogue():
        if operation.module == module:
            for shape in body_variants(operation):
                for kind, make in (("complete", complete_arguments), ("minimal", minimal_arguments)):
                    yield operation, shape, f"{kind} {shape}".strip(), make(operation, shape)


async def called(definitions: Path, folder: Path, command: Path, *, dynamic: bool) -> list[Result]:
    """Return the result of every call, one mock at a time."""
    router, found = Router(), list[Result]()
    port = free_port()
    serving = uvicorn.Server(uvicorn.Config(router, host=HOST, port=port, log_level="warning", lifespan="off"))
    async with served(serving), Client(server(f"http://{HOST}:{port}", folder)) as client:
        for module in sorted({operation.module for operation in load_catalogue()}):
            async with mocked(command, definitions / f"{module}api.yml", dynamic=dynamic) as port:
                router.mocks[module] = port
                for operation, shape, kind, arguments in wanted(module):
                    answer = await client.call_tool(operation.tool, arguments)
                    text = "".join(getattr(part, "text", "") for part in answer.content)
                    known = operation.key in AMBIGUOUS and shape in TIERED
                    found.append(result(operation.tool, kind, text, failed=bool(answer.is_error), known=known))
            del router.mocks[module]
    return found


def result(tool: str, kind: str, text: str, *, failed: bool, known: bool) -> Result:
    """Return the meaning of an answer."""
    status = STATUS.search(text)
    if not failed:
        said = "accepted, marked as different from the documents" if DRIFT in text else "accepted"
        return Result(tool, kind, said, expected=True)
    if OWN_EXAMPLE in text:
        return Result(tool, kind, "accepted, and the mock refuses the definitions' own example", expected=True)
    if status is None:
        return Result(tool, kind, f"refused by the server or not answered: {text[:300]}", expected=False)
    limit = ", a known limit of the definitions" if known else ""
    return Result(tool, kind, f"refused by the mock (HTTP {status[1]}){limit}: {text[:300]}", expected=known)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("definitions", type=Path, help="a folder with the published documents: authapi.yml and so on")
    parser.add_argument("--dynamic", action="store_true", help="answers made up from the schemas, not the examples")
    parser.add_argument(
        "--prism",
        type=Path,
        metavar="FOLDER",
        default=user_cache_path("saasus-mcp", appauthor=False) / "prism",
        help="where Prism is, or is put",
    )
    chosen = parser.parse_args()
    missing = [
        one
        for one in sorted({each.module for each in load_catalogue()})
        if not (chosen.definitions / f"{one}api.yml").is_file()
    ]
    if missing:
        sys.exit(f"{chosen.definitions} lacks {', '.join(f'{one}api.yml' for one in missing)}.")
    with tempfile.TemporaryDirectory() as folder:
        run = called(chosen.definitions.resolve(), Path(folder), prism(chosen.prism), dynamic=chosen.dynamic)
        found = asyncio.run(asyncio.wait_for(run, SECONDS))
    sys.exit(report(found, "tools"))


if __name__ == "__main__":
    main()

"""Drives the sandbox with the published Python SDK: each operation with complete and with minimal arguments.

`python -m scripts.sdk_calls SDK`, where SDK is a checkout of saasus-sdk-python or a name that pip installs. It goes into an
environment in a temporary folder, which is removed. The sandbox listens on a free port of the loopback and is new for each
call. Prints how many calls had which result; exit status 1 where one had another than is expected. See
docs/clients/sdk-and-mocks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uvicorn import Server

from saasus_mcp.catalog import Catalogue, Operation, load_catalogue
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.sandbox import CREDENTIALS, Sandbox
from saasus_mcp.sandbox.http_answers import sample_of
from saasus_mcp.sandbox.server import create_server
from saasus_mcp.sandbox.state import uid
from scripts.story import BY_NAME, FIRST, values_for
from scripts.with_postgres import free_port
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.sandbox import SandboxCaller

DRIVER = Path(__file__).with_name("sdk_driver.py")
IMPORTED = ("pydantic>=2", "python-dateutil", "typing-extensions", "urllib3")
"""What the SDK's generated code imports, as far as its own list of dependencies leaves it out."""
SECONDS = 900.0
SUCCESS = range(200, 300)
NOT_FOUND = 404
GONE = "return_internal_server_error"
"""In the SDK, but no longer in the published definitions."""
MONTH = int(datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp())
"""When the present month began. With Stripe, which the sandbox has, a plan may change as of then."""
GIVEN: Mapping[str, dict[str, Any]] = {
    "auth.CreateSaasUser": {"email": "made@example.com", "sign_in_id": None},
    "auth.UpdateUserMfaPreference": {"enabled": False, "method": "softwareToken"},
}
"""What the SDK demands of every call, and the present API does not; None leaves an argument out."""
COMPLETE: Mapping[str, dict[str, Any]] = {
    "analysis.GetActiveUsers": {"date_to": "2026-03"},
    "apigateway.UpdateApiGatewaySettings": {"endpoint_settings_list": []},
    "apilog.GetLogs": {"start_at": None, "end_at": None},
    "auth.UpdateIdentityProvider": {
        "identity_provider_props": {"application_id": "app", "application_secret": "made up", "approval_scope": "email"}
    },
    "auth.UpdateTenantIdentityProvider": {
        "identity_provider_props": {"metadata_url": "https://idp.example.com/metadata", "email_attribute": "mail"}
    },
    "auth.UpdateTenantPlan": {"next_plan_tax_rate_id": uid("tax", "us_zero"), "using_next_plan_from": MONTH},
    "auth.ValidateInvitation": {"access_token": None},
}
"""Arguments for which a made-up value does not do."""


@dataclass(frozen=True)
class Result:
    """How one call ended. `expected` says whether it is what should come."""

    name: str
    arguments: str
    said: str
    expected: bool


class Renewed(Sandbox):
    """A sandbox on one port that can begin again."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(catalogue)
        self._catalogue = catalogue
        self.present = FaultySandbox(catalogue)

    def renew(self) -> None:
        """Forget all that was changed."""
        self.present = FaultySandbox(self._catalogue)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.present(scope, receive, send)


def installed(source: str, folder: Path) -> Path:
    """Return the Python of a new environment that has the SDK."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = str(Path(source).resolve()) if Path(source).is_dir() else source
    command = [str(python), "-m", "pip", "install", "--quiet", wanted, *IMPORTED]
    subprocess.run(command, check=True, timeout=SECONDS)  # noqa: S603 - what the caller named is what is to be installed
    return python


def minimal(operation: Operation) -> dict[str, Any]:
    """Return the arguments without which a call does not succeed."""
    values = values_for(operation) | GIVEN.get(operation.key, {})
    return {name: value for name, value in values.items() if value is not None}


def complete(operation: Operation) -> dict[str, Any]:
    """Arguments with every field that the operation takes."""
    least, fields = values_for(operation), operation.input_schema["properties"]
    left_out = {name for names in operation.exactly_one for name in names} | {"cursor"}
    shape: Mapping[str, Any] = operation.variants[1][least[operation.variants[0]]] if operation.variants else {}
    known = set(shape.get("properties", fields)) | set(least)
    made = {
        name: BY_NAME.get(name, sample_of(schema, name))
        for name, schema in fields.items()
        if name in known and name not in left_out
    }
    values = made | least | COMPLETE.get(operation.key, {}) | GIVEN.get(operation.key, {})
    return {name: value for name, value in values.items() if value is not None}


async def prepared(operation: Operation, sandbox: FaultySandbox, catalogue: Catalogue) -> None:
    """Do what must come before an operation can succeed."""
    if operation.key in FIRST:
        before, special = FIRST[operation.key]
        async with ApiClient(CREDENTIALS, transport=sandbox.transport()) as client:
            values = {**values_for(catalogue.find(before)), **special}
            await SandboxCaller(catalogue, sandbox, client).read(before, **values)


async def driven(python: Path, catalogue: Catalogue) -> list[Result]:
    """Return the result of every call."""
    sandbox, port = Renewed(catalogue), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "SAASUS_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "SAASUS_SAAS_ID": CREDENTIALS.saas_id,
        "SAASUS_API_KEY": CREDENTIALS.api_key,
        "SAASUS_SECRET_KEY": CREDENTIALS.secret_key,
    }
    async with served(create_server("127.0.0.1", port, sandbox)):
        driver = await asyncio.create_subprocess_exec(
            python, DRIVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, limit=2**20
        )
        try:
            return await calls(driver, sandbox, catalogue)
        finally:
            driver.kill()
            await driver.wait()


@asynccontextmanager
async def served(server: Server) -> AsyncIterator[None]:
    """Run a server while entered."""
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.05)
    try:
        yield
    finally:
        server.should_exit = True
        await running


async def calls(driver: asyncio.subprocess.Process, sandbox: Renewed, catalogue: Catalogue) -> list[Result]:
    """Each operation of the SDK, twice."""
    assert driver.stdin is not None  # noqa: S101 - both are pipes
    assert driver.stdout is not None  # noqa: S101 - as above
    ours = {(one.module, one.operation_id.lower()): one for one in catalogue}
    found = []
    for module, name in await said(driver.stdout):
        operation = ours.get((module, name.replace("_", "")))
        for kind, make in (("complete", complete), ("minimal", minimal)):
            sandbox.renew()
            if operation is not None:
                await prepared(operation, sandbox.present, catalogue)
            arguments = make(operation) if operation is not None else {}
            line = json.dumps({"module": module, "name": name, "arguments": arguments})
            driver.stdin.write(line.encode() + b"\n")
            await driver.stdin.drain()
            ended = await said(driver.stdout)
            found.append(result(f"{module}.{name}", kind, ended, gone=name == GONE))
    return found


async def said(stream: asyncio.StreamReader) -> Any:
    """Return the driver's next line."""
    line = await stream.readline()
    if not line:
        sys.exit("The SDK's process has ended: its error stands above. Is this a checkout of saasus-sdk-python?")
    return json.loads(line)


def result(name: str, kind: str, ended: Mapping[str, Any], *, gone: bool) -> Result:
    """Return the meaning of the end of a call."""
    status, raised = ended["status"], ended["raised"]
    if gone:
        return Result(name, kind, f"HTTP {status}, no longer published", expected=status == NOT_FOUND)
    if not raised:
        return Result(name, kind, f"HTTP {status}, read by the SDK", expected=status in SUCCESS)
    where = f"HTTP {status}" if status else "nothing sent, or an answer that the SDK refuses"
    return Result(name, kind, f"{where}: {raised} {ended['said']}", expected=False)


def report(found: list[Result], what: str) -> int:
    """Print how many calls had which result, and those that should have had another. Return the exit status."""
    print(f"{len(found)} calls of {len({one.name for one in found})} {what}, complete and minimal arguments each")
    for said, count in sorted(Counter(one.said.partition(": ")[0] for one in found).items()):
        print(f"  {count:4}  {said}")
    wrong = [one for one in found if not one.expected]
    for one in wrong:
        print(f"! {one.name} ({one.arguments}): {one.said}")
    return bool(wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sdk", help="a checkout of saasus-sdk-python, or a name that pip installs")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = installed(chosen.sdk, Path(folder))
        found = asyncio.run(asyncio.wait_for(driven(python, load_catalogue()), SECONDS))
    sys.exit(report(found, "operations"))


if __name__ == "__main__":
    main()

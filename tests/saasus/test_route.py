"""How the HTTP client is loaded."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from tests.support.tls import certify

PROGRAM = """
import asyncio, gc, ssl
import httpx2
from saasus_mcp.saasus.route import Route

async def main():
    async with Route.open(httpx2.URL("http://127.0.0.1")).transport:
        contexts = [each for each in gc.get_objects() if isinstance(each, ssl.SSLContext)]
        print(len(contexts), *(len(each.get_ca_certs()) for each in [*contexts, ssl.create_default_context()]))

asyncio.run(main())
"""


async def test_the_client_loads_no_certificate_authorities_that_nothing_uses(tmp_path: Path) -> None:
    _, file = certify(tmp_path, "localhost")
    env = {**os.environ, "SSL_CERT_FILE": str(file), "no_proxy": "*", "NO_PROXY": "*"}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, stdout=PIPE, env=env)
    said, _ = await process.communicate()
    assert process.returncode == 0
    *unused, later = said.decode().split()
    assert unused == ["2", "0", "0"]
    assert later == "1", "a context that is made later trusts the authority of the environment"

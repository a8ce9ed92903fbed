"""Two hosted servers behind a real proxy that runs its sample configuration of deploy/proxies/."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import anyio
import httpx2

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.http import uvicorn_server
from saasus_mcp.sandbox import CREDENTIALS
from saasus_mcp.sandbox.server import create_server as sandbox_server
from tests.support.hosting_process import create_token
from tests.support.processes import TIMEOUT
from tests.support.replicas import CountingSandbox, Replica, start_replica

ROOT = Path(__file__).parents[2]
ProxyName = Literal["nginx", "caddy", "haproxy"]
FILES: dict[ProxyName, str] = {"nginx": "nginx.conf", "caddy": "Caddyfile", "haproxy": "haproxy.cfg"}
PUBLIC = "https://mcp.example.com"
CALLS_COUNTED = r"saasus_mcp_calls_total\{.*\} [1-9]"
"""What the metrics of a server say only once it has had a call."""
CONFIG = """
version = 1
[http]
leave_seconds = 3
metrics = METRICS
[console]
enabled = false
[profiles.default]
groups = ["support"]
"""


def find_program(name: ProxyName) -> str | None:
    """Return the path of a proxy, or None where it is not installed. Debian has some outside the path of users."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@dataclass
class ProxiedReplicas:
    """Two servers behind a proxy.

    Attributes:
        url: of the proxy.
        token: of a caller.
        monitor: the token of an approver, who may read the metrics.
    """

    url: str
    token: str
    monitor: str = field(repr=False)
    sandbox: CountingSandbox
    ports: list[int]
    replicas: list[Replica]

    async def restart(self, number: int) -> None:
        """Stop a server as its supervisor does, start it again, and wait until the proxy sends it calls."""
        await self.replicas[number].restart()
        await wait_for(f"http://127.0.0.1:{self.ports[number]}/readyz")
        await wait_for(f"http://127.0.0.1:{self.ports[number]}/metrics", CALLS_COUNTED, self.monitor)


@asynccontextmanager
async def start_proxied_replicas(
    catalogue: Catalogue, proxy: ProxyName, folder: Path, *, open_metrics: bool = False
) -> AsyncIterator[ProxiedReplicas]:
    """Start a sandbox, two servers with one state folder, and the proxy before them.

    Args:
        catalogue: of the sandbox.
        proxy: the program to start.
        folder: for the state and the logs.
        open_metrics: whether /metrics needs no token.
    """
    sandbox, ports, state = CountingSandbox(catalogue), _free_ports(3), folder / "state"
    config = folder / "config.toml"
    config.write_text(CONFIG.replace("METRICS", str(open_metrics).lower()), encoding="utf-8")
    with uvicorn_server.open_listener("127.0.0.1", 0) as listener, ExitStack() as until:
        api = sandbox_server("127.0.0.1", 0, sandbox)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(api.serve, [listener])
            env = {
                "SAASUS_MCP_CONFIG": str(config),
                "SAASUS_MCP_STATE_DIR": str(state),
                "SAASUS_MCP_PUBLIC_URL": PUBLIC,
                "SAASUS_API_URL_BASE": f"http://127.0.0.1:{listener.getsockname()[1]}",
                "SAASUS_SAAS_ID": CREDENTIALS.saas_id,
                "SAASUS_API_KEY": CREDENTIALS.api_key,
                "SAASUS_SECRET_KEY": CREDENTIALS.secret_key,
            }
            token = create_token(state)
            monitor = create_token(state, "monitor", "approver")
            replicas = [
                until.enter_context(start_replica(env, folder / f"replica-{number}.log", ports[number]))
                for number in range(2)
            ]
            for port in ports[:2]:
                await wait_for(f"http://127.0.0.1:{port}/readyz")
            with _start_proxy(proxy, folder, ports):
                url = f"http://127.0.0.1:{ports[2]}"
                await wait_for(f"{url}/readyz")
                yield ProxiedReplicas(url, token, monitor, sandbox, ports[:2], replicas)
            api.should_exit = True


async def get_unchanged(url: str, target: str, token: str) -> str:
    """Send GET with this request target as it is, and return the whole answer. A client library would normalize it."""
    host, port = url.removeprefix("http://").split(":")
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}:{port}", "Connection: close"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    answer = b""
    async with await anyio.connect_tcp(host, int(port)) as stream:
        await stream.send("\r\n".join([*lines, "", ""]).encode())
        with anyio.fail_after(TIMEOUT):
            async for part in stream:
                answer += part
    return answer.decode(errors="replace")


async def wait_for(url: str, pattern: str = "", token: str = "") -> None:
    """Wait until an address answers 200, with a text in which this pattern is found."""
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"} if token else None) as http:
        with anyio.fail_after(TIMEOUT):
            while True:
                try:
                    answer = await http.get(url)
                    if answer.status_code == 200 and re.search(pattern, answer.text):
                        return
                except httpx2.TransportError:
                    pass
                await anyio.sleep(0.05)


@contextmanager
def _start_proxy(name: ProxyName, folder: Path, ports: list[int]) -> Iterator[None]:
    text = (ROOT / "deploy" / "proxies" / FILES[name]).read_text(encoding="utf-8")
    for number, address in enumerate(("10.0.0.11:8000", "10.0.0.12:8000")):
        assert address in text
        text = text.replace(address, f"127.0.0.1:{ports[number]}")
    home = folder / "proxy"
    home.mkdir()
    file, command = home / FILES[name], _prepare(name, text, home, ports[2])
    file.write_text(command[0], encoding="utf-8")
    with (home / "log").open("wb") as log:
        env = {**os.environ, "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
        process = subprocess.Popen([*command[1], str(file)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
    try:
        yield
    finally:
        process.terminate()
        process.wait(TIMEOUT)


def _prepare(name: ProxyName, text: str, home: Path, port: int) -> tuple[str, list[str]]:
    """Return the configuration without TLS, on a free port, and the command that takes its file."""
    program = find_program(name)
    assert program is not None
    if name == "caddy":
        site = _replaced(text, "mcp.example.com {", f"http://127.0.0.1:{port} {{")
        return f"{{\n\tadmin off\n\tauto_https off\n}}\n{site}", [program, "run", "--adapter", "caddyfile", "--config"]
    if name == "haproxy":
        bind = "bind :443 ssl crt /etc/haproxy/mcp.example.com.pem"
        return _replaced(text, bind, f"bind 127.0.0.1:{port}"), [program, "-db", "-f"]
    server = "\n".join(line for line in text.splitlines() if "ssl_certificate" not in line)
    server = _replaced(server, "listen 443 ssl;", f"listen 127.0.0.1:{port};")
    paths = "".join(
        f"{each}_temp_path {home}/{each};\n" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.name == "posix" and os.geteuid() == 0 else ""
    frame = f"{user}pid {home}/pid;\nerror_log {home}/log;\nworker_processes 2;\nevents {{ }}\nhttp {{\naccess_log off;\n{paths}{server}\n}}\n"
    return frame, [program, "-p", str(home), "-g", "daemon off;", "-c"]


def _replaced(text: str, old: str, new: str) -> str:
    assert old in text, old
    return text.replace(old, new)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as until:
        taken = [until.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in taken]

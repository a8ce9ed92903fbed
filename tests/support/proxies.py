"""Two hosted servers behind a real proxy that runs its sample configuration of deploy/proxies/."""

from __future__ import annotations

import os
import shutil
import signal
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
CONFIG = """
version = 1
[http]
leave_seconds = 3
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
    """

    url: str
    token: str
    sandbox: CountingSandbox
    env: dict[str, str] = field(repr=False)
    folder: Path
    ports: list[int]
    replicas: list[Replica]
    until: ExitStack

    async def restart(self, number: int) -> None:
        """Stop a server as its supervisor does, and start it again."""
        process = self.replicas[number].process
        process.send_signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(process.wait, TIMEOUT) == 0, self.replicas[number].output
        self.start(number, f"restarted-{number}")
        await wait_for(f"http://127.0.0.1:{self.ports[number]}/readyz")

    def start(self, number: int, name: str) -> None:
        log = self.folder / f"{name}.log"
        self.replicas[number] = self.until.enter_context(start_replica(self.env, log, self.ports[number]))


@asynccontextmanager
async def start_proxied_replicas(
    catalogue: Catalogue, proxy: ProxyName, folder: Path
) -> AsyncIterator[ProxiedReplicas]:
    """Start a sandbox, two servers with one state folder, and the proxy before them."""
    sandbox, ports, state = CountingSandbox(catalogue), _free_ports(3), folder / "state"
    config = folder / "config.toml"
    config.write_text(CONFIG, encoding="utf-8")
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
            made = ProxiedReplicas("", token, sandbox, env, folder, ports[:2], [None, None], until)  # type: ignore[list-item]
            for number in range(2):
                made.start(number, f"replica-{number}")
                await wait_for(f"http://127.0.0.1:{ports[number]}/readyz")
            with _start_proxy(proxy, folder, ports):
                made.url = f"http://127.0.0.1:{ports[2]}"
                await wait_for(f"{made.url}/readyz")
                yield made
            api.should_exit = True


async def wait_for(url: str) -> None:
    """Wait until an address answers 200."""
    async with httpx2.AsyncClient() as http:
        with anyio.fail_after(TIMEOUT):
            while True:
                try:
                    if (await http.get(url)).status_code == 200:
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

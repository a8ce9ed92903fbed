"""A hosted server for browsers: the real composition over the sandbox, on a port of this machine, with an OpenID provider."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from sqlalchemy import update
from starlette.types import ASGIApp

from saasus_mcp.cli import composition, state
from saasus_mcp.cli.serve import console_composition
from saasus_mcp.cli.serve.serve_http import build_served_profiles
from saasus_mcp.hosting.auth.authentication import Caller
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.console.routes import Console
from saasus_mcp.hosting.http import application, uvicorn_server
from saasus_mcp.hosting.metrics import Metrics, MetricsObserver
from saasus_mcp.permissions.policy.model import Policy, Principal
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server import mcp_server
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.settings.config import load_http_settings
from saasus_mcp.settings.environment import read_settings
from saasus_mcp.store.database.schema import approvals
from saasus_mcp.store.records import Approval
from saasus_mcp.store.tokens import Token, TokenStore
from tests.support.openid_provider import CLIENT, OpenIdProvider
from tests.support.policies import replace_policy

BOB = Principal("token:bob", frozenset({"support"}))
"""The person behind the assistant."""
CONFIG = """
version = 1
[auth]
tokens = {tokens}
[auth.jwt]
issuer = "{issuer}"
jwks_url = "{issuer}/keys"
[console.oidc]
issuer = "{issuer}"
client_id = "{client}"
client_secret = {{ env = "TEST_SECRET" }}
approver_group = "approvers"
"""


@dataclass
class BrowserServer:
    """A running server, and what a test does outside the browser."""

    url: str
    portal: BlockingPortal
    pipeline: Pipeline
    console: Console
    accounts: TokenStore
    openid: OpenIdProvider
    folder: Path
    served: Mapping[str, ServedProfile]
    until: ExitStack
    tokens: dict[str, str] = field(default_factory=dict)

    def calls(self, tool: str, arguments: Mapping[str, Any], who: Principal = BOB) -> ToolAnswer:
        """Return the answer to a call of an assistant."""
        answer = self.portal.call(self.pipeline.run, Call(tool, dict(arguments), who))
        assert isinstance(answer, ToolAnswer)
        return answer

    def asks_to_delete(self, tenant: str, who: Principal = BOB) -> Approval:
        """Ask, as an assistant, to delete a tenant of the sandbox by its name. Return the pending approval."""
        answer = self.calls("auth_delete_tenant", {"tenant_id": self.tenant(tenant)}, who)
        assert "must approve this first" in answer.text
        return next(each for each in self.approvals() if each.status == "pending")

    def tenant(self, name: str) -> str:
        """Return the id of a tenant of the sandbox."""
        found = self.calls("auth_get_tenants", {}).structured
        assert found is not None
        return next(str(each["id"]) for each in found["tenants"] if each["name"] == name)

    def names(self) -> list[str]:
        """Return the names of the tenants."""
        found = self.calls("auth_get_tenants", {}).structured
        assert found is not None
        return [str(each["name"]) for each in found["tenants"]]

    def approvals(self) -> list[Approval]:
        return self.pipeline.store.list_approvals(time.time())

    def status(self) -> str:
        return self.approvals()[0].status

    def lets_expire(self, code: str) -> None:
        """Expire an approval."""
        with self.pipeline.store._database.transaction() as connection:
            connection.execute(update(approvals).where(approvals.c.code == code).values(expires_at=time.time() - 1))

    def token(self, name: str, role: Any = "approver") -> str:
        """Return the token of a name, created once."""
        if name not in self.tokens:
            now = time.time()
            wanted = Token(name, role, frozenset({"operators"}), "local:me", now, now + 600)
            self.tokens[name] = self.accounts.add(wanted)
        return self.tokens[name]

    def link(self) -> str:
        """Return a one-time link of the owner."""
        return console_composition.signin_link(self.console, f"{self.url}/console")

    def under(self, policy: Policy) -> None:
        """Replace the policy."""
        replace_policy(self.pipeline, policy)


@contextmanager
def start_browser_server(folder: Path, *, tokens: bool = True) -> Iterator[BrowserServer]:
    """Start a server. Without `tokens` it is private, and only a one-time link opens it."""
    with start_blocking_portal() as portal, ExitStack() as until:
        openid = OpenIdProvider("")
        openid.issuer = until.enter_context(_serving(portal, openid.app(), "127.0.0.1"))
        if tokens:
            config = CONFIG.format(tokens="true", issuer=openid.issuer, client=CLIENT)
            (folder / "config.toml").write_text(config, encoding="utf-8")
        listener = until.enter_context(uvicorn_server.open_listener("127.0.0.1", 0))
        port = listener.getsockname()[1]
        chosen = read_settings(
            sandbox=True,
            state_dir=folder / "state",
            config=folder / "config.toml",
            public_url=f"http://localhost:{port}",
            port=port,
        )
        wanted, metrics = load_http_settings(chosen), Metrics()
        pipelines = until.enter_context(
            portal.wrap_async_context_manager(
                composition.open_pipelines(chosen, lambda name, catalogue: MetricsObserver(metrics, name, catalogue))
            )
        )
        each = build_served_profiles(chosen, pipelines)
        console = console_composition.build_hosted_console(chosen, wanted, each, until)
        assert console is not None
        accounts = until.enter_context(state.open_tokens(chosen))
        hosted = application.build_app(
            wanted,
            each,
            lambda one, who: mcp_server.build_server(one.pipeline, who, "en"),
            Caller(BOB, "caller", is_owner=True),
            metrics=metrics,
            extra_routes=console.routes(),
        )
        until.enter_context(_run(portal, hosted.app, listener))
        [pipeline] = pipelines.values()
        yield BrowserServer(wanted.public_url, portal, pipeline, console, accounts, openid, folder, each, until)


@contextmanager
def _serving(portal: BlockingPortal, served: ASGIApp, host: str) -> Iterator[str]:
    with uvicorn_server.open_listener(host, 0) as listener, _run(portal, served, listener):
        yield f"http://{host}:{listener.getsockname()[1]}"


@contextmanager
def _run(portal: BlockingPortal, served: ASGIApp, listener: Any) -> Iterator[None]:
    """Serve an app until the block ends. Uvicorn handles no signals outside the main thread."""
    server = uvicorn.Server(uvicorn.Config(served, log_config=None, ws="none", timeout_graceful_shutdown=1))
    running = portal.start_task_soon(server.serve, [listener])
    try:
        yield
    finally:
        server.should_exit = True
        running.result(30)


CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)

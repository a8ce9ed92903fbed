"""`saasus-mcp serve --transport http`: one server for everybody who may, over HTTP."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import click

from saasus_mcp.cli import composition, server_log, state
from saasus_mcp.cli.serve import trace_export
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.policy.narrowing import Narrowing
from saasus_mcp.permissions.policy.presets import Policy, unwrap_policy
from saasus_mcp.server.surface.toolsets import SurfaceKind
from saasus_mcp.settings import Settings, load_profiles

if TYPE_CHECKING:
    from saasus_mcp.hosting.auth.authentication import Authenticator, Caller
    from saasus_mcp.hosting.auth.profile_access import ServedProfile
    from saasus_mcp.hosting.console.routes import Console
    from saasus_mcp.server.pipeline.call_pipeline import Pipeline
    from saasus_mcp.settings import HttpSettings
    from saasus_mcp.store.tokens import TokenStore

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--transport",
        type=click.Choice(["stdio", "http"]),
        help="How clients connect; stdio by default. [SAASUS_MCP_TRANSPORT]",
    ),
    click.option("--host", help="Address for HTTP; 127.0.0.1 by default. [SAASUS_MCP_HOST]"),
    click.option("--port", type=int, help="Port for HTTP; 8000 by default. [SAASUS_MCP_PORT]"),
    click.option("--public-url", help="URL that clients use for HTTP. [SAASUS_MCP_PUBLIC_URL]"),
)


def http_options(command: Command) -> Command:
    """Give a command the flags of serving over HTTP."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def serve_http(chosen: Settings, kind: SurfaceKind, toolsets: frozenset[str], narrowed_to: Narrowing) -> None:
    """Serve until the process is told to stop.

    Raises:
        SaasusMcpError: something is not sound; above all, others could reach the server and nobody would be asked who
            they are.
    """
    server_log.configure_logging()
    logging.getLogger("saasus_mcp.hosting").setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # below, anybody's nonsense fills the log
    with trace_export.export_traces(chosen.traces):
        anyio.run(
            _serve, chosen, kind, toolsets, narrowed_to, backend_options={"use_uvloop": find_spec("uvloop") is not None}
        )


async def _serve(chosen: Settings, kind: SurfaceKind, toolsets: frozenset[str], narrowed_to: Narrowing) -> None:
    from saasus_mcp.cli.serve import console_composition  # noqa: PLC0415 - imports the web server
    from saasus_mcp.hosting.http import (  # noqa: PLC0415 - only where HTTP is served
        application,
        uvicorn_server,
    )
    from saasus_mcp.hosting.limits import file_descriptors  # noqa: PLC0415 - imports the web server
    from saasus_mcp.hosting.metrics import Metrics, MetricsObserver  # noqa: PLC0415 - as above
    from saasus_mcp.jobs.job_tools import build_job_tools  # noqa: PLC0415 - as all that serves
    from saasus_mcp.server import mcp_server  # noqa: PLC0415 - imports the SDK
    from saasus_mcp.server.surface.tool_surface import ToolSurface  # noqa: PLC0415 - imports the HTTP client
    from saasus_mcp.settings import load_http_settings  # noqa: PLC0415 - only where HTTP is served

    wanted, metrics = load_http_settings(chosen), Metrics()
    at = _Address(wanted, wanted.port)
    with ExitStack() as until:
        known = build_authenticator(chosen, wanted, until)
        watch = partial(MetricsObserver, metrics)
        async with (
            composition.open_pipelines(chosen, watch, lambda: at.console, _share(wanted)) as pipelines,
            composition.open_job_runners(chosen, pipelines) as runners,
        ):

            def server(one: ServedProfile, who: mcp_server.ResolvePrincipal) -> Any:
                more = build_job_tools(runners[one.pipeline.destination.profile], kind)
                surface = ToolSurface(one.pipeline, chosen.lang, kind, toolsets=toolsets, extra_tools=more)
                return mcp_server.build_server(one.pipeline, who, chosen.lang, surface)

            each = build_served_profiles(chosen, pipelines)
            policy = next(iter(pipelines.values())).policy
            _require_one_person(policy, wanted)
            need = file_descriptors.FileDescriptorNeed.for_server(
                wanted.table.connections, len(each), shared=chosen.database_url is not None
            )
            wanted = file_descriptors.fit_connections(wanted, need)
            console = console_composition.build_hosted_console(chosen, wanted, each, until)
            routes, at.has_console = (console.routes(), True) if console else ([], False)
            hosted = application.build_app(
                wanted,
                each,
                server,
                known,
                metrics=metrics,
                narrowing=narrowed_to,
                is_policy_current=_sound(policy),
                extra_routes=routes,
            )
            with uvicorn_server.open_listener(wanted.host, wanted.port) as listener:
                at.port = listener.getsockname()[1]
                _announce(wanted, each, policy, at.url)
                _announce_console(wanted, console, at)
                gc.freeze()  # what was loaded stays: it need not be looked through again for garbage
                await uvicorn_server.create_server(hosted, chosen.timeout).serve([listener])


def build_authenticator(chosen: Settings, wanted: HttpSettings, until: ExitStack) -> Authenticator | Caller:
    """Who says whom a token names; where none is asked for, the owner of the machine.

    Raises:
        SaasusMcpError: others can reach the server, and nobody could prove who they are.
    """
    from saasus_mcp.hosting.auth.authentication import AuthenticatorChain, Caller  # noqa: PLC0415 - only where a configuration names a provider

    if not wanted.authenticated:
        return Caller(composition.local_user(), "caller", is_owner=True)
    links: list[Authenticator] = []
    if wanted.jwt is not None:
        from saasus_mcp.hosting.auth.jwt_auth import JwtAuthenticator, accepted_audiences  # noqa: PLC0415 - imports the cryptography

        names = [] if chosen.sandbox else list(load_profiles(chosen))
        links.append(JwtAuthenticator(wanted.jwt, accepted_audiences(wanted, names)))
    if wanted.tokens:
        from saasus_mcp.hosting.auth.token_auth import TokenAuthenticator  # noqa: PLC0415 - imports the database library

        accounts = until.enter_context(state.open_tokens(chosen))
        links.append(TokenAuthenticator(accounts))
        if wanted.jwt is None and wanted.configured_tokens is None:
            _require_a_token(accounts)
    if not links:
        raise _nobody()
    return AuthenticatorChain(*links)


def _require_a_token(accounts: TokenStore) -> None:
    """See that somebody could sign in, where nothing says that tokens are yet to come.

    Raises:
        SaasusMcpError: nobody could.
    """
    now = time.time()
    if not any(token.is_valid(now) and token.role == "caller" for token in accounts.list_tokens()):
        raise _nobody()


def _require_one_person(policy: Policy, wanted: HttpSettings) -> None:
    """See that nobody can approve their own call, under this policy and under each that its file is edited into.

    Raises:
        SettingsError: somebody could.
    """
    from saasus_mcp.hosting.auth import two_person  # noqa: PLC0415 - only where HTTP is served
    from saasus_mcp.permissions.policy.file import ReloadablePolicy  # noqa: PLC0415 - only where HTTP is served

    under = unwrap_policy(policy)
    fits = partial(two_person.check_two_person, http=wanted)
    if isinstance(under, ReloadablePolicy):
        under.add_check(fits)
    else:
        fits(under)


def _nobody() -> SaasusMcpError:
    return SaasusMcpError(
        "Other machines can reach this address, so the server does not start without authentication.",
        "Set [auth.jwt] in config.toml, or create a token with `saasus-mcp token new NAME` (docs/hosting.md).",
    )


def build_served_profiles(chosen: Settings, pipelines: Mapping[str, Pipeline]) -> dict[str, ServedProfile]:
    """Who may use each profile, and where it sends to."""
    from saasus_mcp.hosting.auth.profile_access import ServedProfile  # noqa: PLC0415 - only where HTTP is served
    from saasus_mcp.settings.profiles import EVERYONE  # noqa: PLC0415 - as above

    if chosen.sandbox:
        return {name: ServedProfile(one, frozenset({EVERYONE})) for name, one in pipelines.items()}
    known = load_profiles(chosen)
    return {name: ServedProfile(one, known[name].groups, known[name].api_url_base) for name, one in pipelines.items()}


def _sound(policy: Policy) -> Callable[[], bool]:
    """Tells whether the policy in force is what its file says now."""
    under = unwrap_policy(policy)
    return lambda: under.last.taken if hasattr(under, "last") else True


def _share(wanted: HttpSettings) -> int:
    """How many calls of one principal may be at the API at once: all of them where nobody is asked who they are."""
    from saasus_mcp.saasus.client import CONNECTIONS  # noqa: PLC0415 - imports the HTTP client

    return wanted.table.calls_per_caller if wanted.authenticated else CONNECTIONS


@dataclass
class _Address:
    """By which address clients reach the server, once it listens."""

    wanted: HttpSettings
    port: int
    has_console: bool = False

    @property
    def console(self) -> str:
        """The console's; empty where there is none."""
        return f"{self.url}/console" if self.has_console else ""

    @property
    def url(self) -> str:
        if self.wanted.authenticated:
            return self.wanted.public_url
        host = self.wanted.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def _announce(wanted: HttpSettings, each: Mapping[str, ServedProfile], policy: Policy, at: str) -> None:
    """Say where clients connect, and what must be said loudly."""
    private = not wanted.authenticated
    lines = [f"MCP at {at}/mcp" + "".join(f", {at}/mcp/{name}" for name in each if len(each) > 1)]
    if private:
        lines.append("No authentication: this computer only.")
    else:
        lines += [
            f"No caller can use the profile {name}: it has no groups." for name, one in each.items() if not one.groups
        ]
    for line in (*lines, policy.announcement):
        if line:
            click.echo(f"saasus-mcp: {line}", err=True)


def _announce_console(wanted: HttpSettings, console: Console | None, at: _Address) -> None:
    """Say where people decide, on a private loopback with a link that lets them in once."""
    if console is None:
        return
    from saasus_mcp.cli.serve import console_composition  # noqa: PLC0415 - imports the web server

    doors, base = console.signin, at.console
    if doors.verify_token is None and doors.provider is None:
        lines = [f"Console (link works once, within five minutes): {console_composition.signin_link(console, base)}"]
        lines += ["For a new link, run `saasus-mcp console`."] if not wanted.authenticated else []
    else:
        lines = [f"Console at {base}"]
    for line in lines:
        click.echo(f"saasus-mcp: {line}", err=True)

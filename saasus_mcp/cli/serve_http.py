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

from saasus_mcp.cli import compose, keeping, logs, telemetry
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.narrowing import Narrowing
from saasus_mcp.permissions.policy import CasePolicy, underlying
from saasus_mcp.server.toolsets import Kind
from saasus_mcp.settings import Settings, profiles

if TYPE_CHECKING:
    from saasus_mcp.hosting.console.pages import Console
    from saasus_mcp.hosting.identity import Authenticator, Caller
    from saasus_mcp.hosting.profiles import Served
    from saasus_mcp.server.pipeline import Pipeline
    from saasus_mcp.settings import Http
    from saasus_mcp.store.accounts import Accounts

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


def options(command: Command) -> Command:
    """Give a command the flags of serving over HTTP."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def serve(chosen: Settings, kind: Kind, toolsets: frozenset[str], narrowed_to: Narrowing) -> None:
    """Serve until the process is told to stop.

    Raises:
        SaasusMcpError: something is not sound; above all, others could reach the server and nobody would be asked who
            they are.
    """
    logs.set_up()
    logging.getLogger("saasus_mcp.hosting").setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # below, anybody's nonsense fills the log
    with telemetry.exported(chosen.traces):
        anyio.run(
            _serve, chosen, kind, toolsets, narrowed_to, backend_options={"use_uvloop": find_spec("uvloop") is not None}
        )


async def _serve(chosen: Settings, kind: Kind, toolsets: frozenset[str], narrowed_to: Narrowing) -> None:
    from saasus_mcp.cli import consoles  # noqa: PLC0415 - imports the web server
    from saasus_mcp.hosting import app, descriptors, serving  # noqa: PLC0415 - imports the web server
    from saasus_mcp.hosting.metrics import Counting, Metrics  # noqa: PLC0415 - as above
    from saasus_mcp.jobs.tools import tools  # noqa: PLC0415 - as all that serves
    from saasus_mcp.server import mcp  # noqa: PLC0415 - imports the SDK
    from saasus_mcp.server.surface import Surface  # noqa: PLC0415 - imports the HTTP client
    from saasus_mcp.settings import http  # noqa: PLC0415 - only where HTTP is served

    wanted, metrics = http(chosen), Metrics()
    at = _Address(wanted, wanted.port)
    with ExitStack() as until:
        known = identity(chosen, wanted, until)
        watch = partial(Counting, metrics)
        async with (
            compose.pipelines(chosen, watch, lambda: at.console, _share(wanted)) as pipelines,
            compose.staff(chosen, pipelines) as runners,
        ):

            def server(one: Served, who: mcp.Who) -> Any:
                more = tools(runners[one.pipeline.place.profile], kind)
                surface = Surface(one.pipeline, chosen.lang, kind, toolsets, more)
                return mcp.build(one.pipeline, who, chosen.lang, surface)

            each = served(chosen, pipelines)
            policy = next(iter(pipelines.values())).policy
            _require_one_person(policy, wanted)
            need = descriptors.Need.of(wanted.table.connections, len(each), shared=chosen.database_url is not None)
            wanted = descriptors.fitted(wanted, need)
            console = consoles.hosted(chosen, wanted, each, until)
            routes, at.has_console = (console.routes(), True) if console else ([], False)
            hosted = app.build(
                wanted,
                each,
                server,
                known,
                metrics,
                narrowed_to=narrowed_to,
                policy_sound=_sound(policy),
                extra=routes,
            )
            with serving.listening(wanted.host, wanted.port) as listener:
                at.port = listener.getsockname()[1]
                _announce(wanted, each, policy, at.url)
                _announce_console(wanted, console, at)
                gc.freeze()  # what was loaded stays: it need not be looked through again for garbage
                await serving.server(hosted, chosen.timeout).serve([listener])


def identity(chosen: Settings, wanted: Http, until: ExitStack) -> Authenticator | Caller:
    """Who says whom a token names; where none is asked for, the owner of the machine.

    Raises:
        SaasusMcpError: others can reach the server, and nobody could prove who they are.
    """
    from saasus_mcp.hosting.identity import Caller, Chain  # noqa: PLC0415 - only where HTTP is served

    if not wanted.authenticated:
        return Caller(compose.local_user(), "caller", everywhere=True)
    links: list[Authenticator] = []
    if wanted.jwt is not None:
        from saasus_mcp.hosting.jwt_callers import JwtCallers, audiences  # noqa: PLC0415 - imports the cryptography

        names = [] if chosen.sandbox else list(profiles(chosen))
        links.append(JwtCallers(wanted.jwt, audiences(wanted, names)))
    if wanted.tokens:
        from saasus_mcp.hosting.token_callers import TokenCallers  # noqa: PLC0415 - imports the database library

        accounts = until.enter_context(keeping.accounts(chosen))
        links.append(TokenCallers(accounts))
        if wanted.jwt is None and wanted.asked_tokens is None:
            _require_a_token(accounts)
    if not links:
        raise _nobody()
    return Chain(*links)


def _require_a_token(accounts: Accounts) -> None:
    """See that somebody could sign in, where nothing says that tokens are yet to come.

    Raises:
        SaasusMcpError: nobody could.
    """
    now = time.time()
    if not any(token.live(now) and token.role == "caller" for token in accounts.all()):
        raise _nobody()


def _require_one_person(policy: CasePolicy, wanted: Http) -> None:
    """See that nobody can approve their own call, under this policy and under each that its file is edited into.

    Raises:
        SettingsError: somebody could.
    """
    from saasus_mcp.hosting import one_person  # noqa: PLC0415 - only where HTTP is served
    from saasus_mcp.permissions.policy_file import Reloading  # noqa: PLC0415 - only where HTTP is served

    under = underlying(policy)
    fits = partial(one_person.check, http=wanted)
    if isinstance(under, Reloading):
        under.require(fits)
    else:
        fits(under)


def _nobody() -> SaasusMcpError:
    return SaasusMcpError(
        "Other machines can reach this address, so the server does not start without authentication.",
        "Set [auth.jwt] in config.toml, or create a token with `saasus-mcp token new NAME` (docs/hosting.md).",
    )


def served(chosen: Settings, pipelines: Mapping[str, Pipeline]) -> dict[str, Served]:
    """Who may use each profile, and where it sends to."""
    from saasus_mcp.hosting.profiles import EVERYONE, Served  # noqa: PLC0415 - only where HTTP is served

    if chosen.sandbox:
        return {name: Served(one, frozenset({EVERYONE})) for name, one in pipelines.items()}
    known = profiles(chosen)
    return {name: Served(one, known[name].groups, known[name].api_url_base) for name, one in pipelines.items()}


def _sound(policy: CasePolicy) -> Callable[[], bool]:
    """Tells whether the policy in force is what its file says now."""
    under = underlying(policy)
    return lambda: under.last.taken if hasattr(under, "last") else True


def _share(wanted: Http) -> int:
    """How many calls of one principal may be at the API at once: all of them where nobody is asked who they are."""
    from saasus_mcp.saasus.client import CONNECTIONS  # noqa: PLC0415 - imports the HTTP client

    return wanted.table.calls_per_caller if wanted.authenticated else CONNECTIONS


@dataclass
class _Address:
    """By which address clients reach the server, once it listens."""

    wanted: Http
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


def _announce(wanted: Http, each: Mapping[str, Served], policy: CasePolicy, at: str) -> None:
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


def _announce_console(wanted: Http, console: Console | None, at: _Address) -> None:
    """Say where people decide, on a private loopback with a link that lets them in once."""
    if console is None:
        return
    from saasus_mcp.cli import consoles  # noqa: PLC0415 - imports the web server

    doors, base = console.doors, at.console
    if doors.sign_in is None and doors.provider is None:
        lines = [f"Console (link works once, within five minutes): {consoles.link(console, base)}"]
        lines += ["For a new link, run `saasus-mcp console`."] if not wanted.authenticated else []
    else:
        lines = [f"Console at {base}"]
    for line in lines:
        click.echo(f"saasus-mcp: {line}", err=True)

"""Serve MCP over HTTP, for every caller that may use it."""

from __future__ import annotations

import gc
import logging
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import anyio
from mcp.server.lowlevel import Server

from saasus_mcp.cli import composition, notice_delivery, state
from saasus_mcp.cli.command_line import INTERRUPTED
from saasus_mcp.cli.options import SurfaceOptions
from saasus_mcp.cli.serve import console_composition, trace_export
from saasus_mcp.cli.serve.hosted_log import configure_hosted_log
from saasus_mcp.cli.terminal import render, warn
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Localized, load_all, message
from saasus_mcp.common.text import visible_text
from saasus_mcp.hosting.auth.authentication import Authenticator, AuthenticatorChain, Caller
from saasus_mcp.hosting.auth.jwt_auth import JwtAuthenticator, accepted_audiences
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.auth.token_auth import TokenAuthenticator
from saasus_mcp.hosting.console.caller_identity import require_two_people
from saasus_mcp.hosting.console.routes import Console
from saasus_mcp.hosting.http import application, uvicorn_server
from saasus_mcp.hosting.http.worker_process import Worker
from saasus_mcp.hosting.limits import file_descriptors
from saasus_mcp.hosting.metrics import Metrics, MetricsObserver
from saasus_mcp.permissions.policy.file import reloadable_policy
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.saasus.route import CONNECTIONS
from saasus_mcp.server.offer_handlers import ResolvePrincipal
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.settings.config import load_http_settings
from saasus_mcp.settings.environment import Settings
from saasus_mcp.settings.hosting import HttpSettings
from saasus_mcp.settings.profiles import EVERYONE, load_profiles

log = logging.getLogger("saasus_mcp.hosting")

Tell = Callable[[Localized | str], None]


def run(
    settings: Settings,
    options: SurfaceOptions,
    worker: Worker | None = None,
    listener: socket.socket | None = None,
) -> None:
    """Serve in this process.

    Args:
        worker: this process among several, if a supervisor started it.
        listener: the socket of the port, if it is bound already.

    Raises:
        SaasusMcpError: the settings cannot be used, or other computers could reach the server without authentication.
    """
    configure_hosted_log(settings, worker.number if worker else 0)
    use_uvloop = find_spec("uvloop") is not None
    with trace_export.export_traces(settings.traces):
        server = anyio.run(_serve, settings, options, worker, listener, backend_options={"use_uvloop": use_uvloop})
    if server.stopping_since is not None:
        log.info("stopped after %.1f s", time.monotonic() - server.stopping_since)
    if server.interrupted and worker is None:
        sys.exit(INTERRUPTED)


async def _serve(
    settings: Settings,
    options: SurfaceOptions,
    worker: Worker | None,
    bound: socket.socket | None,
) -> uvicorn_server.DrainingServer:
    """Serve until a signal. Return the server, which has stopped."""
    http, metrics = load_http_settings(settings), Metrics()
    address, announces = _Address(http, http.port), worker is None or worker.announces
    with ExitStack() as until:
        authenticator = build_authenticator(settings, http, until)
        make_observer = partial(MetricsObserver, metrics)
        async with (
            composition.open_pipelines(
                settings,
                make_observer,
                lambda: address.console_url,
                _calls_per_principal(http),
                getattr(authenticator, "is_revoked", None),
            ) as pipelines,
            composition.open_job_runners(settings, pipelines) as runners,
            notice_delivery.deliver_notices(settings, pipelines, lambda: address.console_url),
        ):
            served = build_served_profiles(settings, pipelines)
            policy = next(iter(pipelines.values())).policy
            require_two_people(policy, http)
            _follow_supervisor(worker, policy)
            others = file_descriptors.other_files(len(served), shared=settings.database_url is not None)
            http = file_descriptors.fit_connections(http, others, warns=announces)
            console = console_composition.build_hosted_console(settings, http, served, until)
            address.has_console = console is not None

            def build_server(profile: ServedProfile, resolve: ResolvePrincipal) -> Server[Any]:
                runner = runners[profile.pipeline.destination.profile]
                return composition.build_mcp_server(profile.pipeline, runner, resolve, settings, options)

            app = application.build_app(
                http,
                served,
                build_server,
                authenticator,
                metrics=metrics,
                narrowing=options.narrowing,
                is_policy_current=partial(_is_policy_current, policy),
                extra_routes=console.routes() if console else [],
            )
            app.limiter.on_drain = (*app.limiter.on_drain, *(each.engine.interrupt for each in runners.values()))
            with bound or uvicorn_server.open_listener(http.host, http.port) as listener:
                address.port = listener.getsockname()[1]

                def announce() -> None:
                    tell = _teller(settings)
                    _announce(http, served, address.url, tell)
                    _warn_operator(http, served, policy, _teller(settings, logging.WARNING))
                    _announce_console(http, console, address.console_url, tell)

                load_all()
                next(iter(pipelines.values())).catalogue.decode_all()  # before the next line, for the same reason
                gc.freeze()  # the loaded modules stay, and need not be searched for garbage again
                server = uvicorn_server.create_server(
                    app,
                    settings.timeout,
                    http.leave_seconds,
                    on_started=announce if announces else None,
                    worker=worker,
                )
                await server.serve([listener])
                return server


def build_authenticator(settings: Settings, http: HttpSettings, until: ExitStack) -> Authenticator | Caller:
    """Return what authenticates callers, or the user of this computer if nothing does.

    Raises:
        SaasusMcpError: other computers can reach the server, and no caller could authenticate.
    """
    if not http.authenticated:
        return Caller(composition.local_user(), "caller", is_owner=True)
    chain: list[Authenticator] = []
    if http.jwt is not None:
        names = [] if settings.sandbox else list(load_profiles(settings))
        chain.append(JwtAuthenticator(http.jwt, accepted_audiences(http, names)))
    if http.tokens:
        tokens = until.enter_context(state.open_tokens(settings))
        chain.append(TokenAuthenticator(tokens))
        if http.jwt is None and http.configured_tokens is None and not tokens.has_valid("caller", time.time()):
            chain.clear()  # no caller could authenticate, and the settings do not say that tokens come later
    if not chain:
        raise SaasusMcpError.of("cli_serve.no_authentication")
    return AuthenticatorChain(*chain)


def _follow_supervisor(worker: Worker | None, policy: Policy) -> None:
    """Let the supervisor put another policy into force in this worker.

    Raises:
        SaasusMcpError: it gave one meanwhile that does not go with this worker's settings.
    """
    inner = reloadable_policy(policy)
    if worker and inner and not worker.follow_policy(lambda content: inner.reload(content).accepted):
        raise SaasusMcpError.of("cli_serve.no_new_worker")


def build_served_profiles(settings: Settings, pipelines: Mapping[str, Pipeline]) -> dict[str, ServedProfile]:
    """Return each profile with the groups that may use it and the address that it sends to."""
    if settings.sandbox:
        return {name: ServedProfile(pipeline, frozenset({EVERYONE})) for name, pipeline in pipelines.items()}
    known = load_profiles(settings)
    return {
        name: ServedProfile(pipeline, known[name].groups, known[name].api_url_base)
        for name, pipeline in pipelines.items()
    }


def _is_policy_current(policy: Policy) -> bool:
    """Return False if the policy file has another content than the policy in force."""
    inner = reloadable_policy(policy)
    return inner is None or inner.is_current()


def _calls_per_principal(http: HttpSettings) -> int:
    """Return how many calls of one principal may be at the API at once: all of them without authentication."""
    return http.table.calls_per_caller if http.authenticated else CONNECTIONS


@dataclass
class _Address:
    """The address of the server, once it listens."""

    http: HttpSettings
    port: int
    has_console: bool = False

    @property
    def console_url(self) -> str:
        """The URL of the console; empty without a console."""
        return f"{self.url}/console" if self.has_console else ""

    @property
    def url(self) -> str:
        if self.http.authenticated:
            return self.http.public_url
        host = self.http.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def _teller(settings: Settings, level: int = logging.INFO) -> Tell:
    """Return what writes a line for the operator: as text, or in the log if programs read it."""
    if settings.log_format == "text":
        return warn
    return lambda text: log.log(level, visible_text(render(text)))


def _announce(http: HttpSettings, served: Mapping[str, ServedProfile], url: str, tell: Tell) -> None:
    """Print the addresses."""
    urls = [f"{url}/mcp", *(f"{url}/mcp/{name}" for name in served if len(served) > 1)]
    tell(message("cli_serve.mcp_at", urls=", ".join(urls)))
    if not http.authenticated:
        tell(message("cli_serve.this_computer_only"))


def _warn_operator(http: HttpSettings, served: Mapping[str, ServedProfile], policy: Policy, tell: Tell) -> None:
    """Print what an operator must know, at a level that a log keeps."""
    if http.authenticated:
        for name, each in served.items():
            if not each.groups:
                tell(message("cli_serve.profile_without_groups", name=name))
    if policy.announcement:
        tell(policy.announcement)


def _announce_console(http: HttpSettings, console: Console | None, url: str, tell: Tell) -> None:
    """Print the address of the console. Without a way to sign in, print a link that signs in once."""
    if console is None:
        if http.console.enabled and not http.authenticated:
            tell(message("cli_serve.console_without_workers"))
        return
    if console.signin.verify_token is not None or console.signin.provider is not None:
        tell(message("cli_serve.console_at", url=url))
        return
    if tell is warn:  # a log is collected and kept, and the link signs in
        tell(message("cli_serve.console_link", url=console_composition.signin_link(console, url)))
    if not http.authenticated:
        tell(message("cli_serve.console_new_link"))

"""Serve MCP over HTTP, for every caller that may use it."""

from __future__ import annotations

import gc
import logging
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import anyio
from mcp.server.lowlevel import Server

from saasus_mcp.catalog import Catalogue
from saasus_mcp.cli import composition, notice_delivery, state
from saasus_mcp.cli.command_line import INTERRUPTED
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.cli.options import SurfaceOptions
from saasus_mcp.cli.serve import console_composition, trace_export
from saasus_mcp.cli.serve.announcement import Announcement, ServerAddress
from saasus_mcp.cli.serve.hosted_log import configure_hosted_log
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import load_all
from saasus_mcp.hosting.auth.authentication import Authenticator, AuthenticatorChain, Caller
from saasus_mcp.hosting.auth.jwt_auth import JwtAuthenticator, accepted_audiences
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.auth.token_auth import TokenAuthenticator
from saasus_mcp.hosting.console.caller_identity import require_two_people
from saasus_mcp.hosting.http import application, uvicorn_server
from saasus_mcp.hosting.http.worker_process import Worker
from saasus_mcp.hosting.limits import file_descriptors
from saasus_mcp.hosting.metrics import Metrics, MetricsObserver
from saasus_mcp.jobs.runner import JobRunner
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


@dataclass(frozen=True, slots=True)
class _Services:
    """What the app of a server is made of.

    Attributes:
        until: closes what is opened later, when the server has stopped.
    """

    authenticator: Authenticator | Caller
    pipelines: Mapping[str, Pipeline]
    runners: Mapping[str, JobRunner]
    until: ExitStack

    @property
    def first(self) -> Pipeline:
        """One of the pipelines, which share policy and catalogue."""
        return next(iter(self.pipelines.values()))


@asynccontextmanager
async def _open_services(
    settings: Settings, http: HttpSettings, metrics: Metrics, address: ServerAddress
) -> AsyncIterator[_Services]:
    """Open the stores, the clients of the API, the jobs and the notices.

    Raises:
        SaasusMcpError: the settings cannot be used.
    """
    with ExitStack() as until:
        authenticator = build_authenticator(settings, http, until)
        async with (
            composition.open_pipelines(
                settings,
                partial(MetricsObserver, metrics),
                lambda: address.console_url,
                _calls_per_principal(http),
                getattr(authenticator, "is_revoked", None),
            ) as pipelines,
            composition.open_job_runners(settings, pipelines) as runners,
            notice_delivery.deliver_notices(settings, pipelines, lambda: address.console_url),
        ):
            yield _Services(authenticator, pipelines, runners, until)


async def _serve(
    settings: Settings,
    options: SurfaceOptions,
    worker: Worker | None,
    bound: socket.socket | None,
) -> uvicorn_server.DrainingServer:
    """Serve until a signal. Return the server, which has stopped."""
    http, metrics = load_http_settings(settings), Metrics()
    address, announces = ServerAddress(http, http.port), worker is None or worker.announces
    async with _open_services(settings, http, metrics, address) as services:
        served, policy = build_served_profiles(settings, services.pipelines), services.first.policy
        require_two_people(policy, http)
        _follow_supervisor(worker, policy)
        others = file_descriptors.other_files(len(served), shared=settings.database_url is not None)
        http = file_descriptors.fit_connections(http, others, warns=announces)
        console = console_composition.build_hosted_console(settings, http, served, services.until)
        address.has_console = console is not None

        def build_server(profile: ServedProfile, resolve: ResolvePrincipal) -> Server[Any]:
            runner = services.runners[profile.pipeline.destination.profile]
            return composition.build_mcp_server(profile.pipeline, runner, resolve, settings, options)

        app = application.build_app(
            http,
            served,
            build_server,
            services.authenticator,
            metrics=metrics,
            narrowing=options.narrowing,
            is_policy_current=partial(_is_policy_current, policy),
            extra_routes=console.routes() if console else [],
        )
        app.limiter.on_drain = (*app.limiter.on_drain, *(each.engine.interrupt for each in services.runners.values()))
        with bound or uvicorn_server.open_listener(http.host, http.port) as listener:
            address.port = listener.getsockname()[1]
            announcement = Announcement(settings, http, served, policy, address, console)
            _load_everything(services.first.catalogue)
            server = uvicorn_server.create_server(
                app,
                settings.timeout,
                http.leave_seconds,
                on_started=announcement.print if announces else None,
                worker=worker,
            )
            await server.serve([listener])
            return server


def _load_everything(catalogue: Catalogue) -> None:
    """Load messages and operations before the first request, and let the garbage collector skip all that is loaded."""
    load_all()
    catalogue.decode_all()
    gc.freeze()


def build_authenticator(settings: Settings, http: HttpSettings, until: ExitStack) -> Authenticator | Caller:
    """Return what authenticates callers, or the user of this computer if nothing does.

    Raises:
        SaasusMcpError: other computers can reach the server, and no caller could authenticate.
    """
    if not http.authenticated:
        return Caller(local_user(), "caller", is_owner=True)
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

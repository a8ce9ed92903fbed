"""The endpoints for monitoring: liveness, readiness and metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import TypeVar

import anyio
import httpx2
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.hosting.auth.auth_middleware import CALLER_KEY
from saasus_mcp.hosting.auth.authentication import Caller, HealthCheck
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.http_errors import error_response
from saasus_mcp.hosting.metrics import Metrics
from saasus_mcp.saasus.network_errors import UNUSABLE
from saasus_mcp.settings.profiles import EVERYONE
from saasus_mcp.store.errors import StoreError

log = logging.getLogger(__name__)

UPSTREAM_INTERVAL_SECONDS = 30.0
FAILED_INTERVAL_SECONDS = 3.0
"""For which a failure is reused at most, so that a server is ready soon after the API is back."""
STORE_INTERVAL_SECONDS = 1.0
STORE_CHECK = "store"
PROBE_SECONDS = 3.0
AnswerT = TypeVar("AnswerT")


class CachedProbe:
    """A cached health check: at most one probe runs at a time, however many requests ask.

    Args:
        interval: seconds for which a success is reused. A failure is reused for FAILED_INTERVAL_SECONDS at most.
        clock: a monotonic clock in seconds.
    """

    def __init__(self, check: HealthCheck, interval: float, clock: Callable[[], float]) -> None:
        self._check = check
        self._interval = interval
        self._clock = clock
        self._result = False
        self._checked_at = float("-inf")
        self._lock = anyio.Lock()

    async def passes(self) -> bool:
        """Return the result of the check."""
        async with self._lock:
            interval = self._interval if self._result else min(self._interval, FAILED_INTERVAL_SECONDS)
            if self._clock() - self._checked_at >= interval:
                self._result = await self._check()
                self._checked_at = self._clock()
        return self._result


class HealthEndpoints:
    """What load balancers and Prometheus ask.

    Args:
        checks: further checks, by their names in /readyz.
        is_policy_current: whether the policy in force is the content of its file.
        is_draining: whether the server rejects new requests.
        has_capacity: whether the server has room for further requests.
        transport: replaces the network in tests.
        clock: a monotonic clock in seconds.
    """

    def __init__(
        self,
        profiles: Mapping[str, ServedProfile],
        metrics: Metrics,
        *,
        checks: Mapping[str, HealthCheck] | None = None,
        is_policy_current: Callable[[], bool] = lambda: True,
        is_draining: Callable[[], bool] = lambda: False,
        has_capacity: Callable[[], bool] = lambda: True,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._profiles = profiles
        self._metrics = metrics
        self._is_policy_current = is_policy_current
        self._is_draining = is_draining
        self._has_capacity = has_capacity
        self._transport = transport
        # A limiter of its own: while a database hangs, each probe leaves a thread behind for seconds.
        self._threads = anyio.CapacityLimiter(len(profiles) + 1)
        self._stores = {
            name: CachedProbe(partial(self._query, profile, _check_writable, False), STORE_INTERVAL_SECONDS, clock)
            for name, profile in profiles.items()
        }
        self._others = {
            name: CachedProbe(partial(_passes, name, check), STORE_INTERVAL_SECONDS, clock)
            for name, check in (checks or {}).items()
        }
        self._others["upstream"] = CachedProbe(self._is_any_api_reachable, UPSTREAM_INTERVAL_SECONDS, clock)

    async def liveness(self, _: Request) -> Response:
        """Answer that the process runs, without checking anything else."""
        return JSONResponse({"status": "ok"})

    async def readiness(self, _: Request) -> Response:
        """Answer whether calls would work now: all stores take writes, tokens can be checked, and an API is reachable.

        An invalid edit of the policy file is shown and does not make the server unready: the previous policy is in force.
        """
        stores = {f"{STORE_CHECK}/{name}": probe for name, probe in self._stores.items()}
        passed = await _run_checks({name: probe.passes for name, probe in {**self._others, **stores}.items()})
        results = {STORE_CHECK: all(passed[name] for name in stores), **{name: passed[name] for name in self._others}}
        checks = {name: "ok" if passes else "failed" for name, passes in results.items()}
        capacity, draining = self._has_capacity(), self._is_draining()
        checks["capacity"] = "ok" if capacity else "exhausted"
        checks["policy"] = "ok" if self._is_policy_current() else "outdated"
        ready = all(results.values()) and capacity and not draining
        status = "stopping" if draining else "ready" if ready else "not ready"
        return JSONResponse({"status": status, **checks}, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)

    async def all_metrics(self, request: Request) -> Response:
        """Answer with the metrics of all profiles."""
        return await self._render_metrics(request, self._profiles)

    async def metrics_for_approver(self, request: Request) -> Response:
        """Answer with the metrics of the profiles that the approver may decide on. Other profiles are not named."""
        caller: Caller = request.scope[CALLER_KEY]
        groups = caller.principal.groups | {EVERYONE}
        visible = {name: each for name, each in self._profiles.items() if caller.is_owner or each.groups & groups}
        if not visible:
            return error_response(HTTPStatus.FORBIDDEN, message("hosting.approver_without_group"))
        return await self._render_metrics(request, visible)

    async def _render_metrics(self, request: Request, profiles: Mapping[str, ServedProfile]) -> Response:
        works = await _run_checks({name: self._stores[name].passes for name in profiles})
        counts = {name: await self._query(each, _count_pending, None) for name, each in profiles.items() if works[name]}
        pending = {name: count for name, count in counts.items() if count is not None}
        stores = {name: name in pending for name in profiles}
        body, content_type = self._metrics.render(request.headers.get("accept", ""), pending, stores)
        return Response(body, headers={"Content-Type": content_type})

    async def _query(
        self, profile: ServedProfile, query: Callable[[ServedProfile], AnswerT], default: AnswerT
    ) -> AnswerT:
        """Return the answer of a store, or `default`. A thread and a time limit keep a hanging store from blocking others."""
        try:
            with anyio.fail_after(PROBE_SECONDS):
                return await to_thread.run_sync(query, profile, abandon_on_cancel=True, limiter=self._threads)
        except (StoreError, OSError) as error:  # OSError: too many open files, or a timeout
            log.warning("the store of profile %s is unavailable: %s", profile.name, str(error) or type(error).__name__)
            return default

    async def _is_any_api_reachable(self) -> bool:
        origins = {each.api_origin for each in self._profiles.values()} - {""}
        reached = await _run_checks({origin: partial(self._is_reachable, origin) for origin in origins})
        return not origins or any(reached.values())

    async def _is_reachable(self, origin: str) -> bool:
        """Return True if a server answers, whatever the status. The request is not signed and carries no credential."""
        try:
            async with httpx2.AsyncClient(transport=self._transport, timeout=PROBE_SECONDS) as http:
                await http.head(origin)
        except (httpx2.HTTPError, *UNUSABLE) as error:  # also: too many open files, or an unusable proxy
            log.warning("%s is unreachable: %s", origin, type(error).__name__)
            return False
        return True


def _check_writable(profile: ServedProfile) -> bool:
    profile.pipeline.store.check_writable()
    return True


def _count_pending(profile: ServedProfile) -> int | None:
    now = time.time()
    approvals = profile.pipeline.store.list_approvals(now, since=now)
    return sum(each.status == "pending" and each.profile == profile.name for each in approvals)


async def _passes(name: str, check: HealthCheck) -> bool:
    """Return True if the check passes in time."""
    try:
        with anyio.fail_after(PROBE_SECONDS):
            return await check()
    except (SaasusMcpError, OSError) as error:
        log.warning("%s: the check failed: %s", name, str(error) or type(error).__name__)
        return False


async def _run_checks(checks: Mapping[str, HealthCheck]) -> dict[str, bool]:
    """Return the result of each check. They run at once, so that several that hang take no longer than one."""
    results = dict.fromkeys(checks, False)

    async def run(name: str) -> None:
        results[name] = await checks[name]()

    async with anyio.create_task_group() as tasks:
        for name in checks:
            tasks.start_soon(run, name)
    return results

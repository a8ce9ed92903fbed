"""Whether this process works, and what it has done: for machines that look after it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import anyio
import httpx2
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.hosting.auth.auth_middleware import CALLER_KEY
from saasus_mcp.hosting.auth.authentication import Caller, HealthCheck
from saasus_mcp.hosting.auth.profile_access import EVERYONE, ServedProfile
from saasus_mcp.hosting.exposition import CONTENT_TYPE
from saasus_mcp.hosting.http_errors import FORBIDDEN, SERVICE_UNAVAILABLE, error_response
from saasus_mcp.hosting.metrics import Metrics
from saasus_mcp.saasus.network_errors import UNUSABLE
from saasus_mcp.store import StoreError

log = logging.getLogger(__name__)

UPSTREAM_INTERVAL_SECONDS = 30.0
STORE_INTERVAL_SECONDS = 1.0
STORE_CHECK = "store"
PROBE_SECONDS = 3.0
Answer = TypeVar("Answer")


class CachedProbe:
    """Something that is looked at now and then, by one at a time: how often anybody asks makes it no dearer.

    Args:
        look: looks at it.
        every: seconds for which what was seen is told again.
        clock: seconds that only go forward.
    """

    def __init__(self, look: HealthCheck, every: float, clock: Callable[[], float]) -> None:
        self._look = look
        self._every = every
        self._clock = clock
        self._seen = False
        self._at = float("-inf")
        self._looking = anyio.Lock()

    async def passes(self) -> bool:
        """Whether it works."""
        async with self._looking:
            if self._clock() - self._at >= self._every:
                self._seen = await self._look()
                self._at = self._clock()
        return self._seen


class HealthEndpoints:
    """What is asked of a server by load balancers and by Prometheus.

    Args:
        checks: what else must work, by the name that /readyz shows.
        policy_sound: whether the policy in force is what its file says now.
        draining: whether the server takes nothing new any more.
        capacity: whether there is room for further requests.
        transport: in place of the network.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        served: Mapping[str, ServedProfile],
        metrics: Metrics,
        *,
        checks: Mapping[str, HealthCheck] | None = None,
        is_policy_current: Callable[[], bool] = lambda: True,
        is_draining: Callable[[], bool] = lambda: False,
        has_capacity: Callable[[], bool] = lambda: True,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._served = served
        self._metrics = metrics
        self._policy_sound = is_policy_current
        self._draining = is_draining
        self._capacity = has_capacity
        self._transport = transport
        # Of its own: while a database hangs, each look leaves a thread behind for seconds.
        self._threads = anyio.CapacityLimiter(len(served) + 1)
        self._stores = {
            name: CachedProbe(partial(self._writes, one), STORE_INTERVAL_SECONDS, clock) for name, one in served.items()
        }
        others = {
            name: CachedProbe(partial(_passes, name, check), STORE_INTERVAL_SECONDS, clock)
            for name, check in (checks or {}).items()
        }
        self._others = {**others, "upstream": CachedProbe(self._any_reached, UPSTREAM_INTERVAL_SECONDS, clock)}

    async def liveness(self, _: Request) -> Response:
        """The process runs and answers; nothing else is looked at."""
        return JSONResponse({"status": "ok"})

    async def readiness(self, _: Request) -> Response:
        """Whether calls would work now: every store takes a write, tokens can be checked, and some profile's API is reached.

        A policy file that was edited and is not sound is told and no reason to stop: the one before is in force.
        """
        seen = await _together(
            {**self._others, **{f"{STORE_CHECK}/{name}": look for name, look in self._stores.items()}}
        )
        stores = [works for name, works in seen.items() if name.startswith(f"{STORE_CHECK}/")]
        found = {STORE_CHECK: all(stores), **{name: seen[name] for name in self._others}}
        checks = {name: "ok" if works else "failed" for name, works in found.items()}
        room = self._capacity()
        checks["capacity"] = "ok" if room else "exhausted"
        checks["policy"] = "ok" if self._policy_sound() else "outdated"
        ready = all(found.values()) and room and not self._draining()
        status = "stopping" if self._draining() else "ready" if ready else "not ready"
        return JSONResponse({"status": status, **checks}, 200 if ready else SERVICE_UNAVAILABLE)

    async def all_metrics(self, _: Request) -> Response:
        """Everything counted, and how many approvals wait now."""
        return await self._metrics_of(self._served)

    async def metrics_for_approver(self, request: Request) -> Response:
        """The same for whoever asks: of the profiles that they may decide on. Other profiles' names are not told."""
        caller: Caller = request.scope[CALLER_KEY]
        groups = caller.principal.groups | {EVERYONE}
        theirs = {name: each for name, each in self._served.items() if caller.is_owner or each.groups & groups}
        if not theirs:
            return error_response(
                FORBIDDEN,
                "You are not in any group of a profile: ask the operator to add one of your groups to a profile.",
            )
        return await self._metrics_of(theirs)

    async def _metrics_of(self, served: Mapping[str, ServedProfile]) -> Response:
        works = await _together({name: self._stores[name] for name in served})
        found = {name: await self._ask(each, _pending, None) for name, each in served.items() if works[name]}
        pending = [(name, count) for name, count in found.items() if count is not None]
        stores = [(name, found.get(name) is not None) for name in served]
        return Response(
            "\n".join(self._metrics.render(pending, stores, frozenset(served))) + "\n", media_type=CONTENT_TYPE
        )

    async def _ask(
        self, served: ServedProfile, question: Callable[[ServedProfile], Answer], otherwise: Answer
    ) -> Answer:
        """What a store answers; in a thread and not for long, so that one that hangs holds nothing else up."""
        try:
            with anyio.fail_after(PROBE_SECONDS):
                return await to_thread.run_sync(question, served, abandon_on_cancel=True, limiter=self._threads)
        except (StoreError, OSError) as error:  # OSError: no more open files, or out of time
            log.warning("the store of profile %s is unavailable: %s", served.name, str(error) or type(error).__name__)
            return otherwise

    async def _writes(self, served: ServedProfile) -> bool:
        """Whether a store takes a write."""
        return await self._ask(served, _written, False)

    async def _any_reached(self) -> bool:
        """Whether some profile's API can be reached."""
        origins = {each.api_origin for each in self._served.values()} - {""}
        return not origins or any([await self._reachable(origin) for origin in origins])

    async def _reachable(self, origin: str) -> bool:
        """Whether a server answers there, whatever it says: the request is not signed and shows no credential."""
        try:
            async with httpx2.AsyncClient(transport=self._transport, timeout=PROBE_SECONDS) as http:
                await http.head(origin)
        except (httpx2.HTTPError, *UNUSABLE) as error:  # also no more open files, or a proxy that cannot be used
            log.warning("%s is unreachable: %s", origin, type(error).__name__)
            return False
        return True


def _written(served: ServedProfile) -> bool:
    served.pipeline.store.check_writable()
    return True


def _pending(served: ServedProfile) -> int | None:
    now = time.time()
    waiting = served.pipeline.store.list_approvals(now, since=now)
    return sum(each.status == "pending" and each.profile == served.name for each in waiting)


async def _passes(name: str, check: HealthCheck) -> bool:
    """Whether a check passes, and does so soon."""
    try:
        with anyio.fail_after(PROBE_SECONDS):
            return await check()
    except (SaasusMcpError, OSError) as error:
        log.warning("%s: the check failed: %s", name, str(error) or type(error).__name__)
        return False


async def _together(looks: Mapping[str, CachedProbe]) -> dict[str, bool]:
    """What each look finds. They wait at once, so that several that hang take no longer than one."""
    found = dict.fromkeys(looks, False)

    async def see(name: str) -> None:
        found[name] = await looks[name].passes()

    async with anyio.create_task_group() as tasks:
        for name in looks:
            tasks.start_soon(see, name)
    return found

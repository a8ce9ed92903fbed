"""Health checks and metrics: correct, for the people they concern, and without anything that callers sent."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.http.health import (
    FAILED_INTERVAL_SECONDS,
    STORE_INTERVAL_SECONDS,
    UPSTREAM_INTERVAL_SECONDS,
    HealthEndpoints,
)
from saasus_mcp.hosting.metrics import Metrics
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store.errors import StoreError
from tests.support.arguments import complete_arguments
from tests.support.hosting_server import OWNER_ROLE, HostingServer, StaticAuthenticator, build_caller, build_server
from tests.support.jwt_issuer import Clock
from tests.support.pipeline import PRINCIPAL

SAMPLE = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})? [0-9.e+-]+')


class Network:
    """A network that counts who asks, and on which some hosts are down."""

    def __init__(self) -> None:
        self.asked: list[httpx2.Request] = []
        self.down: set[str] = set()

    def transport(self) -> httpx2.MockTransport:
        def answer(request: httpx2.Request) -> httpx2.Response:
            self.asked.append(request)
            if request.url.host in self.down:
                raise httpx2.ConnectTimeout("down", request=request)
            return httpx2.Response(404)

        return httpx2.MockTransport(answer)


BOSS = StaticAuthenticator({"boss": build_caller("boss", "operators", role="approver")})


async def readiness(health: HealthEndpoints) -> tuple[int, dict[str, str]]:
    app = Starlette(routes=[Route("/readyz", health.readiness)])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()


def looked_after(
    catalogue: Catalogue, network: Network, clock: Clock, **given: Any
) -> tuple[HostingServer, HealthEndpoints]:
    made = build_server(catalogue, {"production": "*", "staging": "*"}, known=BOSS)
    apis = {"production": "https://api.example.com", "staging": "https://staging.example.com"}
    served = {name: replace(one, api_origin=apis[name]) for name, one in made.served.items()}
    return made, HealthEndpoints(served, made.metrics, transport=network.transport(), clock=clock, **given)


async def test_it_is_ready_while_stores_and_some_api_work(catalogue: Catalogue) -> None:
    network, clock = Network(), Clock()
    _, health = looked_after(catalogue, network, clock)
    assert await readiness(health) == (
        200,
        {"status": "ready", "store": "ok", "policy": "ok", "upstream": "ok", "capacity": "ok"},
    )
    network.down = {"staging.example.com"}
    clock.now += UPSTREAM_INTERVAL_SECONDS
    assert (await readiness(health))[0] == 200, "what one profile lacks must not take the other away"
    network.down |= {"api.example.com"}
    clock.now += UPSTREAM_INTERVAL_SECONDS
    assert await readiness(health) == (
        503,
        {"status": "not ready", "store": "ok", "policy": "ok", "upstream": "failed", "capacity": "ok"},
    )
    network.down.clear()
    clock.now += UPSTREAM_INTERVAL_SECONDS
    assert (await readiness(health))[0] == 200


async def test_a_server_is_ready_soon_after_the_api_is_back(catalogue: Catalogue) -> None:
    network, clock = Network(), Clock()
    _, health = looked_after(catalogue, network, clock)
    network.down = {"staging.example.com", "api.example.com"}
    for _ in range(5):
        assert (await readiness(health))[0] == 503
    assert len(network.asked) == 2, "a failure is reused for a moment, however many ask"
    network.down.clear()
    clock.now += FAILED_INTERVAL_SECONDS
    assert (await readiness(health))[0] == 200
    clock.now += FAILED_INTERVAL_SECONDS
    assert (await readiness(health))[0] == 200
    assert len(network.asked) == 4, "a success is reused for longer"


async def test_the_api_is_asked_seldom_and_without_credentials(catalogue: Catalogue) -> None:
    network, clock = Network(), Clock()
    _, health = looked_after(catalogue, network, clock)
    for _ in range(5):
        await readiness(health)
    assert len(network.asked) == 2, "each host once"
    assert all("authorization" not in request.headers for request in network.asked)
    clock.now += UPSTREAM_INTERVAL_SECONDS
    await readiness(health)
    assert len(network.asked) == 4


async def test_it_is_not_ready_while_a_store_does_not_work(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, health = looked_after(catalogue, Network(), Clock())

    def broken(*_: object, **__: object) -> None:
        raise StoreError.of("store.unusable", reason="no space left on secret-disk")

    store = made.served["staging"].pipeline.store
    monkeypatch.setattr(store, "check_writable", broken)
    status, said = await readiness(health)
    assert (status, said["store"]) == (503, "failed")
    assert "secret-disk" not in str(said)
    async with made.client("boss") as client:
        page = (await client.get("/metrics")).text
    assert 'saasus_mcp_store_up{profile="staging"} 0.0' in page
    assert 'saasus_mcp_store_up{profile="production"} 1.0' in page
    assert 'saasus_mcp_approvals_pending{profile="staging"}' not in page


async def test_however_often_anybody_asks_the_stores_are_looked_at_now_and_then(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, looked = Clock(), []
    made, health = looked_after(catalogue, Network(), clock)
    store = made.served["staging"].pipeline.store
    monkeypatch.setattr(store, "check_writable", lambda: looked.append(clock.now))
    async with anyio.create_task_group() as many:
        for _ in range(10):
            many.start_soon(readiness, health)
    assert len(looked) == 1
    clock.now += STORE_INTERVAL_SECONDS
    await readiness(health)
    assert len(looked) == 2


async def test_an_edited_policy_file_with_a_fault_is_reported(catalogue: Catalogue) -> None:
    _, health = looked_after(catalogue, Network(), Clock(), is_policy_current=lambda: False)
    status, said = await readiness(health)
    assert (status, said["policy"]) == (200, "outdated")


async def test_the_numbers_are_those_of_what_happened(catalogue: Catalogue) -> None:
    made = build_server(catalogue, known=BOSS)
    api, pipeline = made.apis["default"], made.served["default"].pipeline

    async def call(name: str, arguments: Any = None) -> None:
        given = complete_arguments(catalogue.find(name)) if arguments is None else arguments
        await pipeline.run(Call(name, given, replace(PRINCIPAL, id="token:secret-name")))

    await call("auth_get_tenants")
    await call("auth_get_tenants")
    api.answers["auth.GetRoles"] = httpx2.Response(403, json={"type": "forbidden", "message": "secret-words"})
    await call("auth_get_roles")
    await call("auth_delete_tenant", {"tenant_id": "secret-tenant"})
    await call("auth_get_tenant", {"tenant_id": 7, "secret-field": 1})
    async with made.client("boss") as client:
        answer = await client.get("/metrics")
        again = await client.get("/metrics")
    page = answer.text
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'saasus_mcp_calls_total{level="read",outcome="ok",profile="default"} ' in page
    assert 'saasus_mcp_calls_total{level="read",outcome="failed",profile="default"} 1.0\n' in page
    assert 'saasus_mcp_refusals_total{level="critical",profile="default",why="approval"} 1.0\n' in page
    assert 'saasus_mcp_refusals_total{level="none",profile="default",why="invalid_arguments"} 1.0\n' in page
    assert 'saasus_mcp_approvals_pending{profile="default"} 1.0\n' in page
    assert "saasus_mcp_calls_in_flight 0.0\n" in page
    assert 'saasus_mcp_http_responses_total{status="200"} 1.0\n' in again.text
    assert "secret" not in page
    for line in page.splitlines():
        assert line.startswith("# ") or SAMPLE.fullmatch(line), line
    counted = re.findall(r"saasus_mcp_upstream_seconds_count\{[^}]*\} (\d+)\.0", page)
    assert sum(map(int, counted)) == len(api.sent), "every request to the API, those for previews too"


def _samples(metrics: Metrics) -> dict[str, str]:
    body, _ = metrics.render("", {}, {"default": True})
    lines = (line.rpartition(" ") for line in body.decode().splitlines() if not line.startswith("#"))
    return {sample: value for sample, _, value in lines}


def test_each_bucket_holds_the_smaller_ones() -> None:
    metrics = Metrics()
    for seconds in (0.01, 0.2, 0.25, 3.0, 100.0):
        metrics.upstream.labels("default", "read").observe(seconds)
    samples = _samples(metrics)
    labels = 'level="read",profile="default"'
    buckets = {
        bound: samples[f'saasus_mcp_upstream_seconds_bucket{{le="{bound}",{labels}}}']
        for bound in ("0.05", "0.1", "0.25", "0.5", "5.0", "60.0", "+Inf")
    }
    assert list(buckets.values()) == ["1.0", "1.0", "3.0", "3.0", "4.0", "4.0", "5.0"]
    assert samples[f"saasus_mcp_upstream_seconds_sum{{{labels}}}"] == "103.46"
    assert samples[f"saasus_mcp_upstream_seconds_count{{{labels}}}"] == "5.0"


def test_a_label_cannot_break_the_format() -> None:
    metrics = Metrics()
    metrics.responses.labels('a"b\\c\nd').inc()
    assert _samples(metrics)[r'saasus_mcp_http_responses_total{status="a\"b\\c\nd"}'] == "1.0"


@pytest.mark.parametrize(
    ("known", "token", "metrics", "status"),
    [
        (StaticAuthenticator(), None, False, 401),
        (StaticAuthenticator(), "wrong", False, 401),
        (StaticAuthenticator(), "alice-token", False, 403),
        (BOSS, "boss", False, 200),
        (StaticAuthenticator(), None, True, 200),
        (OWNER_ROLE, None, False, 200),
    ],
    ids=["nobody", "a wrong token", "a caller", "an approver", "nobody, where that is set", "on a private server"],
)
async def test_the_numbers_are_for_whom_they_concern(
    catalogue: Catalogue, known: Any, token: str | None, metrics: bool, status: int
) -> None:
    async with build_server(catalogue, known=known, metrics=metrics).client(token) as client:
        assert (await client.get("/metrics")).status_code == status


async def test_an_approver_sees_the_numbers_of_their_own_profiles_only(catalogue: Catalogue) -> None:
    made = build_server(catalogue, {"alpha": ["operators"], "beta": ["others"]}, known=BOSS)
    for name in made.served:
        await made.served[name].pipeline.run(Call("auth_get_tenants", {}, PRINCIPAL))
        await made.served[name].pipeline.run(Call("auth_delete_tenant", {"tenant_id": "t"}, PRINCIPAL))
    async with made.client("boss") as client:
        page = (await client.get("/metrics")).text
    assert {"calls_total", "refusals_total", "upstream_seconds_count", "approvals_pending", "store_up"} <= set(
        re.findall(r'saasus_mcp_(\w+)\{[^}]*profile="alpha"', page)
    )
    assert "beta" not in page
    assert "saasus_mcp_http_requests_in_flight 1" in page


async def test_an_approver_in_no_group_of_a_profile_sees_no_numbers(catalogue: Catalogue) -> None:
    async with build_server(catalogue, {"alpha": ["others"]}, known=BOSS).client("boss") as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 403
    assert "alpha" not in answer.text

"""What the sandbox makes of a request before it does anything: the signature, the route, the values."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from typing import Any

import httpx2
import pytest

from saasus_mcp.saasus.signature import Credentials, place_of, sign_request
from saasus_mcp.sandbox import CREDENTIALS
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.sandbox import Clock, SandboxCaller

BASE = "https://api.saasus.io"


@pytest.fixture
async def wire(sandbox: FaultySandbox, clock: Clock) -> AsyncIterator[Wire]:
    async with httpx2.AsyncClient(transport=sandbox.transport(), base_url=BASE) as client:
        yield Wire(client, clock)


class Wire:
    """Sends raw requests, signed as told."""

    def __init__(self, client: httpx2.AsyncClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def __call__(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        credentials: Credentials = CREDENTIALS,
        minutes: int = 0,
        headers: dict[str, str] | None = None,
    ) -> httpx2.Response:
        request = self._client.build_request(method, target, content=body)
        timestamp = (self._clock().astimezone(UTC) + timedelta(minutes=minutes)).strftime("%Y%m%d%H%M")
        request.headers["Authorization"] = sign_request(
            credentials, timestamp, method=method, place=place_of(request.url), body=body
        )
        if body:
            request.headers["Content-Type"] = "application/json"
        request.headers.update(headers or {})
        return await self._client.send(request)


def message(response: httpx2.Response) -> str:
    return str(response.json()["message"])


@pytest.mark.parametrize("minutes", [-5, -1, 0, 1, 5])
async def test_a_clock_that_is_a_little_off_is_accepted(wire: Wire, minutes: int) -> None:
    assert (await wire("GET", "/v1/auth/roles", minutes=minutes)).status_code == 200


@pytest.mark.parametrize("minutes", [-6, 6, 60])
async def test_a_clock_that_is_far_off_is_refused(wire: Wire, minutes: int) -> None:
    response = await wire("GET", "/v1/auth/roles", minutes=minutes)
    assert response.status_code == 401
    assert response.json()["type"] == "unauthorized"


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials("sandbox", "sandbox-api-key", "another secret"),
        Credentials("sandbox", "another-key", "sandbox-secret-key"),
        Credentials("another-saas", "sandbox-api-key", "sandbox-secret-key"),
    ],
)
async def test_a_signature_with_other_credentials_is_refused(wire: Wire, credentials: Credentials) -> None:
    assert (await wire("GET", "/v1/auth/roles", credentials=credentials)).status_code == 401


@pytest.mark.parametrize("header", ["", "Bearer token", "SAASUSSIGV1 Sig=00, SaaSID=sandbox, APIKey=sandbox-api-key"])
async def test_a_request_without_a_signature_is_refused(wire: Wire, header: str) -> None:
    assert (await wire("GET", "/v1/auth/roles", headers={"Authorization": header})).status_code == 401


async def test_a_signature_covers_the_host_that_the_client_names(wire: Wire) -> None:
    assert (await wire("GET", "/v1/auth/roles", headers={"Host": "other.example.com"})).status_code == 401


async def test_nothing_is_done_without_a_signature(wire: Wire, api: SandboxCaller) -> None:
    body = json.dumps({"role_name": "intruder", "display_name": "x"}).encode()
    assert (await wire("POST", "/v1/auth/roles", body, headers={"Authorization": "none"})).status_code == 401
    roles = await api.read("auth.GetRoles")
    assert "intruder" not in [role["role_name"] for role in roles["roles"]]


async def test_an_unknown_route_is_not_found(wire: Wire) -> None:
    for method, target in (
        ("GET", "/v1/auth/nothing"),
        ("PUT", "/v1/auth/roles"),
        ("GET", "/"),
        ("GET", "/v1/auth/roles/"),
    ):
        response = await wire(method, target)
        assert (response.status_code, response.json()["type"]) == (404, "not_found")


async def test_a_literal_segment_wins_over_a_parameter(wire: Wire) -> None:
    everybody = await wire("GET", "/v1/auth/tenants/all/users")
    assert len({user["tenant_id"] for user in everybody.json()["users"]}) == 3
    assert (await wire("GET", "/v1/auth/users/count")).json().keys() == {"count", "updated_at"}


async def test_dot_segments_lead_where_a_proxy_would_take_them(wire: Wire, sandbox: FaultySandbox) -> None:
    await wire("GET", "/v1/auth/users/%2E%2E/roles")
    assert sandbox.requests[-1].operation == "auth.GetRoles"


async def test_an_encoded_slash_stays_inside_its_segment(wire: Wire, sandbox: FaultySandbox) -> None:
    assert (await wire("DELETE", "/v1/auth/roles/..%2Fstripe")).status_code == 404
    assert sandbox.requests[-1].operation == "auth.DeleteRole"


@pytest.mark.parametrize(
    ("method", "target", "body", "named"),
    [
        ("GET", "/v1/auth/roles?page=1", None, "page"),
        ("GET", "/v1/auth/users/search?limit=many", None, "limit"),
        ("GET", "/v1/auth/users/search?limit=1000", None, "limit"),
        ("GET", "/v1/auth/users/search?limit=1&limit=2", None, "limit"),
        ("GET", "/v1/auth/userinfo/search/email", None, "email"),
        ("GET", "/v1/auth/envs/three", None, "env_id"),
        ("POST", "/v1/auth/roles", {"role_name": "x"}, "display_name"),
        ("POST", "/v1/auth/roles", {"role_name": "x", "display_name": 3}, "display_name"),
        ("POST", "/v1/auth/roles", {"role_name": "x", "display_name": "x", "color": "red"}, "color"),
        ("PATCH", "/v1/auth/roles/admin", {"role_name": "admin", "display_name": "x"}, "role_name"),
        ("POST", "/v1/auth/users", {"email": "a@example.com", "sign_in_id": "a"}, "email"),
        ("POST", "/v1/pricing/units", {"type": "fixed", "name": "x", "display_name": "x", "description": "x",
                                       "currency": "JPY", "unit_amount": 1}, "recurring_interval"),
        ("GET", "/v1/auth/roles", {"any": "body"}, "body"),
        ("DELETE", "/v1/auth/roles/auditor", {"any": "body"}, "body"),
        ("PUT", "/v1/auth/plans/reset", {}, "body"),
        ("POST", "/v1/auth/roles", None, "body"),
        ("POST", "/v1/auth/roles", [], "body"),
    ],
)  # fmt: skip
async def test_a_value_that_does_not_fit_is_refused_by_name(
    wire: Wire, method: str, target: str, body: Any, named: str
) -> None:
    response = await wire(method, target, b"" if body is None else json.dumps(body).encode())
    assert (response.status_code, response.json()["type"]) == (400, "invalid_parameter"), response.text
    assert named in message(response)


async def test_a_body_that_is_not_json_is_refused(wire: Wire) -> None:
    assert "not JSON" in message(await wire("POST", "/v1/auth/roles", b"{"))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert "Content-Type" in message(await wire("POST", "/v1/auth/roles", b"{}", headers=form))


async def test_text_that_is_not_utf_8_is_refused(wire: Wire) -> None:
    assert (await wire("GET", "/v1/auth/users/%FF")).status_code == 404
    assert (await wire("GET", "/v1/auth/users/search?email=%FF")).status_code == 400


async def test_a_trace_id_comes_back_and_a_missing_one_is_made(wire: Wire) -> None:
    sent = await wire("GET", "/v1/auth/roles", headers={"X-Saasus-Trace-Id": "mine"})
    assert sent.headers["X-Saasus-Trace-Id"] == "mine"
    made = [(await wire("GET", "/v1/auth/roles")).headers["X-Saasus-Trace-Id"] for _ in range(2)]
    assert len(set(made)) == 2


async def test_the_date_is_that_of_the_clock(wire: Wire) -> None:
    assert (await wire("GET", "/v1/auth/roles")).headers["Date"] == "Wed, 18 Mar 2026 03:30:00 GMT"


async def test_text_in_any_script_reaches_the_state_as_it_is(api: SandboxCaller) -> None:
    await api.read("auth.CreateRole", role_name="役割/100% ?#", display_name="🙂")
    await api.read("auth.UpdateRole", role_name="役割/100% ?#", display_name="変更済み")
    roles = (await api.read("auth.GetRoles"))["roles"]
    assert {"role_name": "役割/100% ?#", "display_name": "変更済み"} in roles


async def test_a_defect_of_the_sandbox_is_an_internal_error(
    wire: Wire, sandbox: FaultySandbox, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_call: object) -> None:
        raise ZeroDivisionError

    sandbox._behaviours["auth.GetRoles"] = broken
    response = await wire("GET", "/v1/auth/roles")
    assert (response.status_code, response.json()["type"]) == (500, "internal_error")
    assert "ZeroDivisionError" in caplog.text


def test_the_credentials_look_as_public_as_they_are() -> None:
    assert CREDENTIALS.saas_id == "sandbox"
    assert "sandbox" in CREDENTIALS.api_key
    assert "sandbox" in CREDENTIALS.secret_key

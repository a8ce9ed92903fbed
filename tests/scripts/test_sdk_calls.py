"""What scripts/sdk_calls.py and scripts/mock_calls.py are made of: arguments that the API takes, and results told as they are."""

from __future__ import annotations

import inspect
from typing import Any, Optional

import httpx2
import pytest

from saasus_mcp.catalog import Catalogue, load_catalogue
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.sandbox import CREDENTIALS
from scripts import mock_calls, sdk_calls, sdk_driver
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.sandbox import SandboxCaller


@pytest.mark.parametrize("key", [operation.key for operation in load_catalogue()])
async def test_the_sandbox_takes_complete_arguments(key: str, catalogue: Catalogue) -> None:
    operation, sandbox = catalogue.find(key), FaultySandbox(catalogue)
    await sdk_calls.prepared(operation, sandbox, catalogue)
    async with ApiClient(CREDENTIALS, transport=sandbox.transport(), timeout=5) as client:
        answered = await SandboxCaller(catalogue, sandbox, client)(key, **sdk_calls.complete(operation))
    assert answered.status < 300, answered


class Model:
    """A model as the SDK generates them."""

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {"model": given}


def update(tenant_id: str, var_date: str, body: Optional[Model] = None, **kwargs: Any) -> None: ...  # noqa: UP045 - as generated


def read(tenant_id: str, **kwargs: Any) -> None: ...


def test_arguments_go_where_the_sdk_wants_them() -> None:
    update.__annotations__ = inspect.get_annotations(update, eval_str=True)
    signed = inspect.signature(update, eval_str=True)
    update.__signature__ = signed  # type: ignore[attr-defined]
    arguments = {"tenant_id": "t", "date": "2026-03-01", "name": "n"}
    assert sdk_driver.given(update, arguments) == {
        "tenant_id": "t",
        "var_date": "2026-03-01",
        "body": {"model": {"name": "n"}},
    }
    assert sdk_driver.given(read, {"tenant_id": "t", "unknown": 1}) == {"tenant_id": "t"}


@pytest.mark.parametrize(
    ("ended", "gone", "expected"),
    [
        ({"status": 200, "raised": "", "said": ""}, False, True),
        ({"status": 404, "raised": "NotFoundException", "said": ""}, True, True),
        ({"status": 404, "raised": "NotFoundException", "said": ""}, False, False),
        ({"status": None, "raised": "ValidationError", "said": ""}, False, False),
        ({"status": 401, "raised": "UnauthorizedException", "said": ""}, False, False),
    ],
)
def test_only_what_should_come_is_expected_of_the_sdk(ended: dict[str, Any], gone: bool, expected: bool) -> None:
    assert sdk_calls.result("auth.x", "minimal", ended, gone=gone).expected is expected


@pytest.mark.parametrize(
    ("text", "failed", "known", "expected"),
    [
        ("{}", False, False, True),
        ("The SaaSus API answered HTTP 422: no.", True, False, False),
        ("The SaaSus API answered HTTP 422: no.", True, True, True),
        (f"The SaaSus API answered HTTP 500: https://stoplight.io/{mock_calls.OWN_EXAMPLE}.", True, False, True),
        ("tenant_id: it is empty.", True, True, False),
    ],
)
def test_only_what_should_come_is_expected_of_the_mocks(text: str, failed: bool, known: bool, expected: bool) -> None:
    assert mock_calls.result("auth_x", "minimal", text, failed=failed, known=known).expected is expected


async def test_the_router_passes_a_request_on_without_its_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[httpx2.Request] = []

    def answered(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(201, json={"ok": True})

    real = httpx2.AsyncClient
    monkeypatch.setattr(
        httpx2, "AsyncClient", lambda **_: real(transport=httpx2.MockTransport(answered), trust_env=False)
    )
    router = httpx2.ASGITransport(app=mock_calls.Router({"auth": 7001}))
    async with real(transport=router) as client:
        url = "http://127.0.0.1:1/v1/auth/tenants/a%2Fb?x=%E3%81%82"
        given = await client.put(url, json={"a": 1}, headers={"Authorization": "SAASUSSIGV1 Sig=0"})
    assert (given.status_code, given.json()) == (201, {"ok": True})
    assert str(seen[0].url) == "http://127.0.0.1:7001/tenants/a%2Fb?x=%E3%81%82"
    assert (seen[0].method, seen[0].content, seen[0].headers["authorization"]) == ("PUT", b'{"a":1}', "Bearer x")

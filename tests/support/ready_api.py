"""An API that costs next to nothing, to count what a call costs this program."""

from __future__ import annotations

import httpx2
import pytest

from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.exchange import HttpRequest, HttpResponse, Httpx2Transport
from saasus_mcp.saasus.network_errors import ConnectionTrace
from saasus_mcp.saasus.route import Route
from tests.support.pipeline import CREDENTIALS, StubApi


class ReadyApi:
    """Repeats what a stub answered to the same request. Only the first one is made with httpx2, which calls 250 functions."""

    def __init__(self, api: StubApi) -> None:
        self._stub = Httpx2Transport(api.transport())
        self._answers: dict[tuple[str, str], HttpResponse] = {}

    async def send(self, request: HttpRequest, trace: ConnectionTrace, limit: int) -> HttpResponse:
        key = request.method, request.url
        if key not in self._answers:
            self._answers[key] = await self._stub.send(request, trace, limit)
        return self._answers[key]

    async def aclose(self) -> None:
        await self._stub.aclose()


def ready_client(api: StubApi, monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    """Return a client whose direct way to the API is a stub of it."""

    def route(_: httpx2.URL) -> Route:
        return Route(ReadyApi(api))

    monkeypatch.setattr(Route, "open", route)
    return ApiClient(CREDENTIALS)

"""A client that shows apps in Chromium, as SEP-1865 asks for: a host page, a sandbox of another origin, and the app in a frame without one.

Both pages are answered inside the browser. Every other request is refused and remembered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saasus_mcp.server.apps.documents import build_document

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Frame, Page, Route

HOST, SANDBOX = "http://client.test/", "http://sandbox.test/"
STRICTEST = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "media-src 'self' data:; connect-src 'none'; frame-src 'self'"
)
"""The policy for documents that declare no `csp`. `frame-src` is for the sandbox's own frame."""
CAPABILITIES: Mapping[str, Any] = {"openLinks": {}, "serverTools": {}, "serverResources": {}}
FOLDER = Path(__file__).parent
APPS = ("approval", "job", "table")
AskServer = Callable[[dict[str, Any]], dict[str, Any]]


def refuse_request(_: dict[str, Any]) -> dict[str, Any]:
    """Answer every request of an app with an error, as a client without a server would."""
    return {"error": {"code": -32000, "message": "refused"}}


@dataclass
class AppHost:
    """One page of the client.

    Attributes:
        requests: what any frame requested from the network, besides the two pages of the client.
        asked: the requests of apps to the server.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def app(self) -> Frame:
        """The frame of the app."""
        return self.page.main_frame.child_frames[0].child_frames[0]

    def show(
        self,
        name: str,
        result: Mapping[str, Any] | None,
        *,
        capabilities: Mapping[str, Any] | None = None,
        arguments: Mapping[str, Any] | None = None,
        **context: Any,
    ) -> Frame:
        """Show an app beside the result of a tool, and wait until it is drawn. Return its frame."""
        given = {
            "sandbox": SANDBOX,
            "html": build_document(name),
            "capabilities": CAPABILITIES if capabilities is None else dict(capabilities),
            "context": context,
            "input": dict(arguments or {}),
            "result": result,
        }
        self.page.goto(HOST)
        self.page.evaluate("(text) => showApp(JSON.parse(text))", json.dumps(given))
        self.page.wait_for_function("seen.some((each) => each.method === 'ui/notifications/initialized')")
        if result is not None:
            self.app.wait_for_selector("#app[aria-busy=false]")
        return self.app

    def send(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification to the app."""
        self.page.evaluate("([method, params]) => post({ method, params })", [method, dict(params)])

    def sent(self, method: str) -> list[Any]:
        """Return the parameters of the messages of the app with this method."""
        return [each.get("params") for each in self.page.evaluate("seen") if each.get("method") == method]


def open_host(context: BrowserContext, ask_server: AskServer = refuse_request) -> AppHost:
    """Open the client.

    Args:
        ask_server: answers `tools/call` and `resources/read` of apps.
    """
    page = context.new_page()
    host = AppHost(page)

    def serve(route: Route) -> None:
        url = route.request.url
        if url in (HOST, SANDBOX):
            name, policy = ("app_host", "") if url == HOST else ("app_sandbox", STRICTEST)
            body = (FOLDER / f"{name}.html").read_text(encoding="utf-8")
            headers = {"Content-Type": "text/html; charset=utf-8"}
            route.fulfill(body=body, headers={**headers, **({"Content-Security-Policy": policy} if policy else {})})
        else:
            host.requests.append(url)
            route.abort()

    def ask(asked: dict[str, Any]) -> dict[str, Any]:
        host.asked.append(asked)
        return ask_server(asked)

    page.route("**/*", serve)
    page.expose_function("askServer", ask)
    page.on("pageerror", lambda error: host.faults.append(str(error)))
    page.on("console", lambda said: host.faults.append(said.text) if said.type == "error" else None)
    return host


def column(app: Frame, heading: str) -> list[str]:
    """Return the cells of a column on this page."""
    table = app.locator("table:visible").first
    headings = table.locator("thead tr > *").all_inner_texts()
    [at] = [n for n, text in enumerate(headings) if text.strip(" ↑↓\n") == heading]
    return [each.strip() for each in table.locator(f"tbody tr > td:nth-child({at + 1})").all_inner_texts()]

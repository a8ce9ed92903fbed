"""Spans leave the process where OpenTelemetry's variables say, with what happened and nothing that was said."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.cli.serve import trace_export
from tests.support.commands import run_command
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.hosting_process import ROLE, SlowSandbox, create_role_request, create_token, start_server
from tests.support.processes import TIMEOUT


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Yield the address of a collector, and the requests that it gets."""
    got: list[tuple[str, bytes]] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Taking) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", got
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without telling it")
async def test_a_call_is_traced_to_a_collector_without_what_was_said(catalogue: Catalogue, tmp_path: Path) -> None:
    state, slow = tmp_path / "state", SlowSandbox(FaultySandbox(catalogue))
    slow.released.set()
    bearer = create_token(state)
    with collector() as (endpoint, got):
        to = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        async with slow.listening() as api:
            with start_server(api, state, **to) as (url, process):
                async with httpx2.AsyncClient(base_url=url, timeout=TIMEOUT) as client:
                    answer = await client.post("/mcp", **create_role_request(bearer))
                assert not answer.json()["result"]["isError"]
                process.send_signal(signal.SIGTERM)
                assert process.wait(TIMEOUT) == 0
    assert {path for path, _ in got} == {"/v1/traces"}
    sent = b"".join(body for _, body in got)
    for known in (b"saasus-mcp", b"tools/call auth_create_role", b"saasus auth.CreateRole", b"/auth/roles"):
        assert known in sent
    assert bearer.encode() not in sent
    assert ROLE["role_name"].encode() not in sent


def test_an_exporter_that_nobody_knows_stops_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text("version = 1\n", encoding="utf-8")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    ran = run_command("serve", "--transport", "http", "--sandbox")
    assert ran.status == 1
    assert "OTEL_TRACES_EXPORTER" in ran.err


@pytest.mark.parametrize("to", ["otlp", "console"])
def test_without_the_extra_it_is_said_what_to_install(tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text("version = 1\n", encoding="utf-8")
    monkeypatch.setattr(trace_export, "find_spec", lambda _: None)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", to)
    ran = run_command("serve", "--transport", "http", "--sandbox", "--port", "0")
    assert ran.status == 1
    assert f"OTEL_TRACES_EXPORTER: {to}" in ran.err
    assert "saasus-mcp[otel]" in ran.err

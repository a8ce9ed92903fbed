"""`serve` on stdio stops with its parent, at a signal or at the first Ctrl+C, after a write in progress is finished; with its terminal also over HTTP."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.commands import Terminal
from tests.support.processes import TIMEOUT, start_module
from tests.support.saas_store import open_saas_store
from tests.support.stdio_server import (
    OPENING,
    build_request,
    encode_lines,
    read_answers,
    send_messages,
    start_stdio_server,
)
from tests.support.variants import sample_cases

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals, terminals and parents as POSIX has them")

SERVER = [sys.executable, "-m", "saasus_mcp", "--sandbox"]
PARENT = "import subprocess, sys; subprocess.run(sys.argv[1:], check=False)"
"""Starts a server on its own pipes, and waits for it."""


@contextmanager
def under_a_parent(*command: str) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """Start a parent that starts the server on pipes which this process holds too. Return the parent and the ends."""
    (theirs, writing), (reading, mine) = os.pipe(), os.pipe()
    parent = subprocess.Popen([*command, *SERVER], stdin=theirs, stdout=mine, stderr=mine)
    os.close(mine)
    try:
        yield parent, writing, reading
    finally:
        parent.kill()
        parent.wait()
        os.close(writing)
        until_closed(reading)
        os.close(reading)
        os.close(theirs)


def heard(reading: int, id: int) -> None:
    """Read until a request was answered."""
    data = b""
    while f'"id":{id},'.encode() not in data.rpartition(b"\n")[0]:
        assert select.select([reading], [], [], TIMEOUT)[0]
        data += os.read(reading, 65536)


def until_closed(reading: int) -> bytes:
    """Return what is still written until no process holds the pipe."""
    data = b""
    while True:
        assert select.select([reading], [], [], TIMEOUT)[0], "the server is still there"
        if not (more := os.read(reading, 65536)):
            return data
        data += more


STAGES = pytest.mark.parametrize(
    "requests",
    [
        pytest.param(1, id="first answers", marks=pytest.mark.exhaustive),
        pytest.param(2, id="while the SDK loads", marks=pytest.mark.exhaustive),
        pytest.param(3, id="all is loaded"),
    ],
)


@STAGES
def test_it_ends_with_its_parent_though_a_sibling_holds_the_pipe(requests: int) -> None:
    sent = [*OPENING, build_request(2, "tools/list"), build_request(3, "prompts/list")]
    with under_a_parent(sys.executable, "-c", PARENT) as (parent, writing, reading):
        os.write(writing, encode_lines(*sent[: requests + 1]))
        heard(reading, requests)
        parent.kill()
        parent.wait()
        assert until_closed(reading) == b""


@pytest.mark.skipif(sys.platform != "linux", reason="a launcher's parent is read from /proc")
def test_it_ends_with_the_parent_of_its_launcher(tmp_path: Path) -> None:
    launcher = tmp_path / "uv"
    launcher.symlink_to(sys.executable)
    start = f"import subprocess, sys; subprocess.run([{str(launcher)!r}, '-c', {PARENT!r}, *sys.argv[1:]], check=False)"
    with under_a_parent(sys.executable, "-c", start) as (parent, writing, reading):
        os.write(writing, encode_lines(*OPENING, build_request(2, "tools/list"), build_request(3, "prompts/list")))
        heard(reading, 3)
        parent.kill()
        parent.wait()
        assert until_closed(reading) == b""


@pytest.mark.parametrize(
    ("number", "requests"),
    [
        (signal.SIGINT, 1),
        (signal.SIGTERM, 3),
        (signal.SIGHUP, 3),
        *(
            pytest.param(*case, marks=pytest.mark.exhaustive)
            for case in ((signal.SIGINT, 3), (signal.SIGTERM, 1), (signal.SIGHUP, 1))
        ),
    ],
)
def test_the_first_signal_ends_it_and_the_exit_status_says_which(number: signal.Signals, requests: int) -> None:
    with start_stdio_server() as process:
        send_messages(
            process, *[*OPENING, build_request(2, "tools/list"), build_request(3, "prompts/list")][: requests + 1]
        )
        read_answers(process, *range(1, requests + 1))
        process.send_signal(number)
        assert process.wait(TIMEOUT) == 128 + number
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As after `nohup`."""
    shell = ["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", *SERVER]
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        send_messages(process, *OPENING, build_request(2, "prompts/list"))
        read_answers(process, 1, 2)
        process.send_signal(signal.SIGHUP)
        send_messages(process, build_request(3, "ping"))
        read_answers(process, 3)


def test_a_hangup_reads_a_policy_file_again_and_ends_nothing(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nrules:\n  - {name: roles, tools: [auth_get_roles], then: allow}\n", encoding="utf-8")
    with start_stdio_server("--policy", str(policy)) as process:
        send_messages(process, *OPENING, build_request(2, "tools/list"))
        read_answers(process, 1, 2)
        process.send_signal(signal.SIGHUP)
        send_messages(process, build_request(3, "ping"))
        read_answers(process, 3)


class _Slow(BaseHTTPRequestHandler):
    """An API that answers a write when it is let."""

    arrived, let = threading.Event(), threading.Event()

    def do_GET(self) -> None:
        self._answer(200, {"roles": []})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.arrived.set()
        self.let.wait(TIMEOUT)
        self._answer(201, {"role_name": "support", "display_name": "Support"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Slow]]:
    _Slow.arrived.clear()
    _Slow.let.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("SAASUS_API_URL_BASE", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name, value in (("SAAS_ID", "saas-1"), ("API_KEY", "key"), ("SECRET_KEY", "secret")):
        monkeypatch.setenv(f"SAASUS_{name}", value)
    yield _Slow
    _Slow.let.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("number", sample_cases([signal.SIGTERM, signal.SIGINT, signal.SIGHUP]))
def test_a_write_on_its_way_is_finished_and_audited(slow: type[_Slow], state: Path, number: signal.Signals) -> None:
    call = build_request(
        3, "tools/call", name="auth_create_role", arguments={"role_name": "support", "display_name": "Support"}
    )
    piped = subprocess.PIPE
    process = start_module("saasus_mcp", stdin=piped, stdout=subprocess.DEVNULL, stderr=piped, preloaded="libraries")
    try:
        send_messages(process, *OPENING, call)
        assert slow.arrived.wait(TIMEOUT)
        process.send_signal(number)
        slow.let.set()
        _, err = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, err) == (128 + number, b"")
    store = open_saas_store(state, "saas-1")
    try:
        told = [
            (each["event"], each.get("applied")) for each in store.audit_log.list_records() if each["event"] != "opened"
        ]
    finally:
        store.close()
    assert told[-1] == ("ended", "applied"), told


def test_a_person_at_a_terminal_reads_what_it_is_and_one_interrupt_ends_it() -> None:
    with Terminal("--sandbox") as terminal:
        terminal.wait_for("This is an MCP server.")
        for command in ("install", "demo", "doctor"):
            terminal.wait_for(f"saasus-mcp {command}")
        terminal.type(json.dumps(build_request(1, "ping")))
        terminal.wait_for('"result":{}')
        terminal.interrupt()
        assert terminal.wait() == 128 + signal.SIGINT
        assert "Traceback" not in terminal.output


def test_an_interrupt_before_anything_was_said_ends_it_too() -> None:
    with Terminal("--sandbox") as terminal:
        terminal.wait_for("saasus-mcp doctor")
        terminal.interrupt()
        assert terminal.wait() == 128 + signal.SIGINT
        assert "Traceback" not in terminal.output


def test_the_end_of_input_typed_at_a_terminal_ends_it() -> None:
    with Terminal("--sandbox") as terminal:
        terminal.wait_for("saasus-mcp doctor")
        terminal.hang_up()
        assert terminal.wait() == 0


def test_a_terminal_without_credentials_names_both() -> None:
    with Terminal() as terminal:
        terminal.wait_for("saasus-mcp install")
        terminal.wait_for("Missing credentials")
        assert terminal.wait() == 1


def test_a_file_is_served_as_a_pipe_is(tmp_path: Path) -> None:
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(encode_lines(*OPENING, b"nonsense\n", build_request(2, "ping"), build_request(3, "tools/list")))
    with sent.open("rb") as source, got.open("wb") as target:
        process = start_module("saasus_mcp", "--sandbox", stdin=source, stdout=target, preloaded="libraries")
        assert process.wait(TIMEOUT) == 0
    assert {json.loads(each)["id"] for each in got.read_bytes().splitlines()} == {1, 2, 3}


def test_closed_input_is_an_error_in_one_line() -> None:
    shell = ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *SERVER]
    ran = subprocess.run(shell, capture_output=True, timeout=TIMEOUT, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr.count(b"\n")) == (1, b"", 1)
    assert b"Standard input or output is closed" in ran.stderr


def test_a_terminal_that_is_closed_stops_a_server_over_http_and_reloads_nothing(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nrules:\n  - name: look\n    levels: [read]\n    then: allow\n", encoding="utf-8")
    settings = {"SAASUS_MCP_POLICY": str(policy), "SAASUS_MCP_STATE_DIR": str(tmp_path / "state")}
    with Terminal("serve", "--transport", "http", "--port", "0", "--sandbox", env=settings) as terminal:
        terminal.wait_for("/mcp\n")
        [url] = re.findall(r"MCP at (\S+)/mcp\n", terminal.output)
        assert httpx2.get(f"{url}/healthz", timeout=TIMEOUT).status_code == 200
        terminal.close_window()
        assert terminal.wait() == 0
        assert "stopping: the terminal was closed" in terminal.output
        assert "stopped after" in terminal.output
        assert "in force" not in terminal.output

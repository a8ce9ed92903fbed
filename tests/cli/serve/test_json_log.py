"""The log of a hosted server can be read by programs: each line is an object with time, replica and request, and floods are held down."""

from __future__ import annotations

import io
import json
import logging
import re
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from saasus_mcp.cli import server_log
from saasus_mcp.cli.serve.hosted_log import FLOOD_LINES, FLOOD_SECONDS, FloodFilter, JsonFormatter
from saasus_mcp.common.request_id import REQUEST_ID, accept_request_id
from tests.support.documents import document_server
from tests.support.hosting_server import MCP
from tests.support.jwt_issuer import JwtIssuer
from tests.support.processes import TIMEOUT
from tests.support.replicas import start_replica

CONFIG = """
version = 1
[http]
public_url = "http://127.0.0.1:{port}"
[auth.jwt]
issuer = "{issuer}"
jwks_url = "{issuer}/keys"
"""


def record(text: str = "the store %s is unavailable", *args: object, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("saasus_mcp.hosting", level, __file__, 1, text, args, None)


class Unprintable:
    """A value whose text cannot be made, as of a message whose file cannot be opened."""

    def __str__(self) -> str:
        raise OSError(24, "Too many open files")


@pytest.mark.parametrize("formatter", [server_log.RedactingFormatter(), JsonFormatter(str)], ids=["text", "JSON"])
@pytest.mark.parametrize("times", [1, 2 * FLOOD_LINES])
def test_a_line_that_cannot_be_made_prints_none_of_its_values(
    formatter: logging.Formatter, times: int, capsys: pytest.CaptureFixture[str]
) -> None:
    now, stream = [0.0], io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.addFilter(FloodFilter(lambda: now[0]))
    for _ in range(times):
        handler.handle(record("the key %s of %s", "sesame", Unprintable()))
    now[0] = FLOOD_SECONDS
    handler.handle(record("the key %s of %s", "sesame", Unprintable()))
    assert "the key %s of %s" in stream.getvalue()
    assert "OSError" in stream.getvalue()
    assert "sesame" not in stream.getvalue() + capsys.readouterr().err
    assert ("similar lines were left out" in stream.getvalue()) == (times > FLOOD_LINES)


def written(each: logging.LogRecord) -> dict[str, Any]:
    return dict(json.loads(JsonFormatter(lambda text: text.replace("made-up", "***")).format(each)))


def test_a_line_has_time_level_replica_request_and_message() -> None:
    token = REQUEST_ID.set("req-1")
    try:
        line = written(record("the store %s is unavailable", "production"))
    finally:
        REQUEST_ID.reset(token)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert (line["level"], line["request"], line["message"]) == (
        "warning",
        "req-1",
        "the store production is unavailable",
    )
    assert line["replica"]


def test_a_traceback_stays_on_its_line_and_no_secret_is_in_it() -> None:
    try:
        raise ValueError("made-up secret\nin two lines")  # noqa: TRY301 - what is logged
    except ValueError:
        each = record("failed: %s", "made-up")
        each.exc_info = sys.exc_info()
    text = JsonFormatter(lambda text: text.replace("made-up", "***")).format(each)
    assert "\n" not in text
    assert "made-up" not in text
    assert "ValueError" in json.loads(text)["error"]


@pytest.mark.parametrize(("given", "accepted"), [("a1-B_2.c", True), ("", False), ("x" * 65, False), ("a\nb", False)])
def test_the_id_of_a_proxy_is_kept_if_it_is_harmless(given: str, accepted: bool) -> None:
    assert (accept_request_id(given) == given) is accepted
    assert accept_request_id(given)


def test_a_flood_of_one_line_is_held_down_and_its_size_is_reported() -> None:
    now = 0.0
    flood = FloodFilter(lambda: now)
    assert [flood.filter(record("down: %s", number)) for number in range(300)].count(True) == FLOOD_LINES
    assert flood.filter(record("another line")), "each kind is counted by itself"
    now = FLOOD_SECONDS
    next_line = record("down: %s", "last")
    assert flood.filter(next_line)
    assert next_line.getMessage() == "down: last (295 similar lines were left out)"


def failure(error: Exception) -> logging.LogRecord:
    each = record("%s failed with an internal error", "a tool", level=logging.ERROR)
    each.exc_info = (type(error), error, error.__traceback__)
    return each


def test_a_flood_of_one_error_does_not_hide_another() -> None:
    flood = FloodFilter(lambda: 0.0)
    for _ in range(FLOOD_LINES * 2):
        flood.filter(failure(ValueError("the same")))
    assert not flood.filter(failure(ValueError("the same")))
    assert flood.filter(failure(KeyError("another")))
    assert flood.filter(failure(ExceptionGroup("a group", [OSError("within")])))


def test_the_level_is_that_of_this_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    own, hosting = logging.getLogger("saasus_mcp"), logging.getLogger("saasus_mcp.hosting")
    before = own.level, hosting.level
    try:
        server_log.configure_logging(level="error", at_least=logging.INFO)
        assert (own.level, hosting.level) == (logging.ERROR, logging.ERROR)
        server_log.configure_logging(at_least=logging.INFO)
        assert (own.level, hosting.level) == (logging.WARNING, logging.INFO)
    finally:
        own.setLevel(before[0])
        hosting.setLevel(before[1])


@pytest.mark.process
async def test_a_real_server_writes_only_objects_and_finds_a_refused_request_again(tmp_path: Path) -> None:
    issuer = JwtIssuer()
    with document_server({"/keys": issuer.document()}) as provider:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        file = tmp_path / "hosted.toml"
        file.write_text(CONFIG.format(issuer=provider, port=port), encoding="utf-8")
        env = {
            "SAASUS_MCP_CONFIG": str(file),
            "SAASUS_MCP_STATE_DIR": str(tmp_path / "state"),
            "SAASUS_MCP_SANDBOX": "1",
            "SAASUS_MCP_LOG_FORMAT": "json",
        }
        with start_replica(env, tmp_path / "server.log", port) as replica:
            await replica.wait_until_ready()
            headers = {**MCP, "Authorization": f"Bearer {issuer.token()}"}
            async with httpx2.AsyncClient(timeout=TIMEOUT) as client:
                for number in range(FLOOD_LINES + 3):
                    sent = {**headers, "X-Request-Id": f"req-{number}"}
                    answer = await client.post(f"{replica.url}/mcp", headers=sent, json={})
                    assert (answer.status_code, answer.headers["X-Request-Id"]) == (401, f"req-{number}")
            await replica.wait_for_output(f"req-{FLOOD_LINES - 1}")
            lines = [json.loads(line) for line in replica.output.splitlines()]
    refused = [line for line in lines if line["message"].startswith("token rejected")]
    assert [line["request"] for line in refused] == [f"req-{number}" for number in range(FLOOD_LINES)]
    assert "[auth.jwt]" in refused[0]["message"], "with what an operator can compare"


@pytest.mark.process
async def test_the_link_that_signs_in_is_in_no_log(tmp_path: Path) -> None:
    env = {
        "SAASUS_MCP_STATE_DIR": str(tmp_path / "state"),
        "SAASUS_MCP_SANDBOX": "1",
        "SAASUS_MCP_LOG_FORMAT": "json",
    }
    with start_replica(env, tmp_path / "server.log") as replica:
        await replica.wait_until_ready()
        await replica.wait_for_output("saasus-mcp console")
        assert "/console/enter/" not in replica.output


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="there a process is ended without a signal")
async def test_a_stop_is_logged_with_its_reason_and_its_duration(tmp_path: Path) -> None:
    env = {
        "SAASUS_MCP_STATE_DIR": str(tmp_path / "state"),
        "SAASUS_MCP_SANDBOX": "1",
        "SAASUS_MCP_LOG_FORMAT": "json",
    }
    with start_replica(env, tmp_path / "server.log") as replica:
        with anyio.fail_after(TIMEOUT):
            while "MCP at" not in replica.output:  # noqa: ASYNC110 - a file of another process
                await anyio.sleep(0.001)  # the earliest signal that an operator can send
        replica.process.send_signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(replica.process.wait, TIMEOUT) == 0
        messages = [json.loads(line)["message"] for line in replica.output.splitlines()]
    assert "stopping: SIGTERM, calls in flight: 0, open requests: 0" in messages
    assert re.fullmatch(r"stopped after \d+\.\d s", messages[-1])

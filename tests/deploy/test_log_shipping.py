"""The log reaches a collector as it was written: the sample of rsyslog, run by the real program, and the fields of the pages."""

from __future__ import annotations

import json
import logging
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.cli.serve.hosted_log import JsonFormatter
from saasus_mcp.common.request_id import REQUEST_ID
from tests.support.processes import TIMEOUT
from tests.support.tls import certify

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "deploy/rsyslog/saasus-mcp.conf"
RSYSLOGD = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin")
SHORT_PATH = 100
"""The address of a socket has at most about so many bytes."""


def full_line() -> dict[str, Any]:
    """Return a line of the log with every field."""
    token = REQUEST_ID.set("req-1")
    error = ValueError("不正な値: 50%")
    record = logging.LogRecord(
        "saasus_mcp.hosting", logging.ERROR, "", 1, "line\nbreak", (), (ValueError, error, error.__traceback__)
    )
    line: dict[str, Any] = json.loads(JsonFormatter(str, 2).format(record))
    REQUEST_ID.reset(token)
    return line


@pytest.mark.parametrize("page", ["docs/operations.md", "docs/operations.ja.md"])
def test_the_pages_name_every_field_of_the_log(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    table = text.split("deploy/rsyslog/saasus-mcp.conf")[-1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(full_line())


@pytest.mark.process
@pytest.mark.skipif(RSYSLOGD is None, reason="rsyslogd is not installed (Debian: apt-get install rsyslog-gnutls)")
def test_rsyslog_sends_lines_as_they_were_written_to_the_receiver_that_it_verified(tmp_path: Path) -> None:
    context, certificate = certify(tmp_path, "logs.internal")
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        receiver.settimeout(TIMEOUT)
        with rsyslog(tmp_path, certificate, receiver.getsockname()[1]) as log:
            written = full_line()
            log(f"<14>saasus-mcp[7]: {json.dumps(written, ensure_ascii=False)}")
            log("<14>other[8]: not of the server")
            log("<14>saasus-mcp[7]: no JSON")
            accepted, _ = receiver.accept()
            with context.wrap_socket(accepted, server_side=True) as connection, connection.makefile("rb") as lines:
                assert json.loads(lines.readline()) == written
                assert json.loads(lines.readline())["msg"].strip() == "no JSON"


@contextmanager
def rsyslog(folder: Path, certificate: Path, port: int) -> Iterator[Callable[[str], None]]:
    """Run rsyslog with the sample. Yield a function that sends it a message as systemd does."""
    source = folder / "in.sock"
    if len(str(source)) > SHORT_PATH:
        pytest.skip("the folder of the test has too long a path for a socket")
    sample = SAMPLE.read_text(encoding="utf-8")
    changes = {
        "/etc/ssl/certs/ca-certificates.crt": str(certificate),
        'target="logs.internal"': 'target="127.0.0.1"',
        'port="6514"': f'port="{port}"',
    }
    for before, after in changes.items():
        assert before in sample
        sample = sample.replace(before, after)
    main = folder / "rsyslog.conf"
    main.write_text(
        f'global(workDirectory="{folder}")\nmodule(load="imuxsock" SysSock.Use="off")\n'
        f'input(type="imuxsock" Socket="{source}" CreatePath="on")\n{sample}',
        encoding="utf-8",
    )
    assert RSYSLOGD is not None
    command = [RSYSLOGD, "-n", "-f", str(main), "-i", str(folder / "rsyslog.pid")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            yield partial(send_to, source)
        finally:
            process.terminate()
            process.communicate(timeout=TIMEOUT)


def send_to(source: Path, line: str) -> None:
    """Send a message to rsyslog once it listens, which no event announces."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(FileNotFoundError, ConnectionError):
            sender.connect(str(source))
            sender.send(line.encode())
            return
        assert time.monotonic() < deadline

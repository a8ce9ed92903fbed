"""The socket of the port, which workers share."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

import pytest

from saasus_mcp.hosting.http.listener import duplicate_listener, open_listener


@pytest.mark.parametrize("copies", [0, 1, 15])
def test_a_worker_that_starts_lets_the_listener_of_no_other_worker_block(copies: int) -> None:
    with ExitStack() as until:
        serving = until.enter_context(open_listener("127.0.0.1", 0))
        serving.setblocking(False)
        received = until.enter_context(socket.socket(fileno=os.dup(serving.fileno())))
        made = [until.enter_context(each) for each in duplicate_listener(received, copies)]
        assert len(made) == copies
        assert not os.get_blocking(serving.fileno())
        with pytest.raises(BlockingIOError):
            serving.accept()

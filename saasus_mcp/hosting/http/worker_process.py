"""A worker process: as its supervisor sees it, and what it knows about itself.

A worker has its own stores, like a replica. The port is bound once, and every worker accepts from it.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import uvicorn
from uvicorn.supervisors.multiprocess import Process

log = logging.getLogger(__name__)

ANSWER_SECONDS = 15.0
"""A worker whose interpreter does not answer for so long is killed and replaced."""
START_SECONDS = 120.0
RETRY_SECONDS = (0.5, 30.0)
"""The first and the longest wait before a worker that could not start, or ended soon, is started again. Each wait doubles it."""
STEADY_SECONDS = 60.0
"""A worker that has served for so long is replaced at once when it ends."""
TICK_SECONDS = 0.1
STOP_MARGIN_SECONDS = 5.0
"""Time after the documented end of a stop. A worker that still runs then is killed."""
HANGUP = "SIGHUP"
RETIRE = "SIGUSR1"
"""Asks a worker to end because another one has its place: the port stays open."""
FORCE = "SIGUSR2"
"""Asks a worker that stops to end at once."""
_PING, _POLICY, _IN_FORCE = b"ping", b"policy", b"in force"
"""The questions of the supervisor, by their first bytes, and the answer to a policy. The answer to a ping is whether it is ready."""

ApplyPolicy = Callable[[bytes], bool]
"""Puts the content of a policy file into force, and returns whether it is."""


@dataclass(slots=True)
class Worker:
    """What a worker process knows about itself.

    Attributes:
        number: from 1; a replacement has the number of its predecessor.
        announces: whether it tells the operator what concerns all workers: the first one at the start of the server does.
        is_ready: set once it accepts requests.
    """

    number: int
    announces: bool
    is_ready: threading.Event = field(default_factory=threading.Event)
    _apply: ApplyPolicy | None = None
    _policy: bytes | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def follow_policy(self, apply: ApplyPolicy) -> bool:
        """Apply each policy from now on, and the one that came before this worker could. Return whether that one is in force."""
        with self._lock:
            self._apply = apply
            return self._policy is None or apply(self._policy)

    def give_policy(self, content: bytes) -> bool:
        """Apply a policy, or keep it until the worker can. Return False if it is not in force."""
        with self._lock:
            self._policy = content
            return self._apply is None or self._apply(content)


RunWorker = Callable[[Worker, list[socket.socket]], None]


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker does, until all are replaced.

    Attributes:
        run: runs in each worker process, and can be pickled: with everything that workers must have in common.
        stop_seconds: how long a worker may take to stop.
        policy: the content of the policy file that it has.
    """

    run: RunWorker
    stop_seconds: float
    policy: bytes | None = None


class WorkerProcess(Process):
    """A worker as the supervisor sees it. The process is spawned, so everything here is pickled.

    Attributes:
        has_served: whether the worker was ready at some time.
        has_policy: whether the policy that was given last is in force there.
        retry_after: seconds that this worker's successor waits if this one ends before it has served for `STEADY_SECONDS`.
        stop_seconds: how long it may take to stop.
    """

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], work: Work, number: int, *, announces: bool
    ) -> None:
        self.number = number
        self.work = work
        self.has_policy = True
        self.stop_seconds = work.stop_seconds
        self.retry_after = RETRY_SECONDS[0]
        self._start_until = time.monotonic() + START_SECONDS
        self._served_at: float | None = None
        self._asked_at: float | None = None
        self._stop_until = float("inf")
        self._run = work.run
        self._announces = announces
        self._worker: Worker | None = None
        self._sender: threading.Thread | None = None
        super().__init__(config, sockets)

    def start(self) -> None:
        super().start()
        self.child_conn.close()  # only the worker has it now, so that its end is the end of the pipe here, too

    def kill(self) -> None:
        self.process.kill()
        self._close()

    def _close(self) -> None:
        if self._sender is not None:
            self._sender.join(STOP_MARGIN_SECONDS)  # the end of the worker ends it
        self.parent_conn.close()

    @property
    def has_served(self) -> bool:
        return self._served_at is not None

    @property
    def is_steady(self) -> bool:
        """Whether the worker has served for so long that its end is no sign of a fault that the next one would have."""
        return self._served_at is not None and time.monotonic() - self._served_at >= STEADY_SECONDS

    def pong(self) -> None:
        asked: bytes = self.child_conn.recv()
        worker = self._worker
        if asked.startswith(_POLICY):
            self.child_conn.send(_IN_FORCE if worker and worker.give_policy(asked.removeprefix(_POLICY)) else b"")
        else:
            self.child_conn.send(worker is not None and worker.is_ready.is_set())

    def always_pong(self) -> None:
        """Answer the supervisor. Stop in order when it has ended: nobody would replace this worker or end it."""
        with suppress(OSError, EOFError):
            while True:
                self.pong()
        os.kill(os.getpid(), signal.SIGTERM)

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """Run in the worker process."""
        signal.signal(getattr(signal, HANGUP), signal.SIG_IGN)  # the supervisor decides what it means
        for name in (RETIRE, FORCE):  # until the server handles them
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl+C reaches every process; only the supervisor speaks of it
        self.parent_conn.close()  # so that the end of the supervisor is the end of the pipe
        self._worker = Worker(self.number, self._announces)
        threading.Thread(target=self.always_pong, name="supervisor", daemon=True).start()
        self._run(self._worker, sockets or [])

    def is_alive(self, timeout: float = ANSWER_SECONDS) -> bool:
        """Return whether the worker runs and has answered the last question within `timeout`. This waits for nothing."""
        if not self.process.is_alive():
            return False
        now = time.monotonic()
        self._read_answers(now)
        if self._asked_at is None:
            with suppress(OSError):
                self.parent_conn.send(_PING)
            self._asked_at = now
        return now - self._asked_at < timeout if self.has_served else now < self._start_until

    def _read_answers(self, now: float) -> None:
        with suppress(OSError, EOFError):
            while self.parent_conn.poll():
                answer: bool | bytes = self.parent_conn.recv()
                if isinstance(answer, bytes):
                    self.has_policy = answer == _IN_FORCE
                    continue
                self._asked_at = None
                if answer and self._served_at is None:
                    self._served_at = now

    def give_policy(self, content: bytes) -> None:
        """Send a policy. `has_policy` says once it is in force."""
        self.has_policy = False
        # In a thread, as a worker that hangs reads nothing, and its pipe holds less than a large policy.
        self._sender = threading.Thread(target=self._send, args=(_POLICY + content,), daemon=True)
        self._sender.start()

    def _send(self, question: bytes) -> None:
        with suppress(OSError):
            self.parent_conn.send(question)

    def wait_for_policy(self, deadline: float) -> bool:
        """Return whether the policy is in force, or the worker has ended, before a time of the monotonic clock."""
        while not self.has_policy and self.process.is_alive() and time.monotonic() < deadline:
            with suppress(OSError):
                self.parent_conn.poll(TICK_SECONDS)
            self._read_answers(time.monotonic())
        return self.has_policy or not self.process.is_alive()

    @property
    def is_starting(self) -> bool:
        """Whether the worker is not ready yet, and may still become it."""
        return self.is_alive() and not self.has_served

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.process.pid is not None and self.process.exitcode is None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def stop(self, number: int) -> None:
        """Ask the worker to stop. It still gets policies, since it ends what it has begun."""
        self._stop_until = time.monotonic() + self.stop_seconds + STOP_MARGIN_SECONDS
        self.send_signal(number)

    def force(self) -> None:
        """Ask a worker that stops to end at once."""
        self._stop_until = min(self._stop_until, time.monotonic() + STOP_MARGIN_SECONDS)
        self.send_signal(getattr(signal, FORCE))

    def has_ended(self) -> bool:
        """Return whether a worker that was asked to stop has ended. Kill it if it takes longer than it may."""
        if not self.process.is_alive():
            self.join()
            self._close()
            return True
        if time.monotonic() > self._stop_until:
            log.error("worker %d did not stop in time and is killed", self.number)
            self.process.kill()
            self._stop_until = float("inf")
        return False

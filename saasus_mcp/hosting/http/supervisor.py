"""Several worker processes on one port: uvicorn's supervisor, with our server in each worker."""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections.abc import Callable

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess

from saasus_mcp.common.terminals import in_terminal
from saasus_mcp.hosting.http.worker_process import (
    ANSWER_SECONDS,
    HANGUP,
    RETIRE,
    RETRY_SECONDS,
    TICK_SECONDS,
    Work,
    WorkerProcess,
)

log = logging.getLogger(__name__)


class Supervisor(Multiprocess):
    """Starts workers, replaces those that end, and passes on signals.

    SIGTERM and SIGINT stop all workers; a second one ends them at once. SIGTTIN adds a worker and SIGTTOU removes one. SIGHUP calls
    `on_hangup`; from a terminal, it stops, as the terminal sends it when it is closed.

    Attributes:
        work: what a worker does that starts from now on.
        on_hangup: called at SIGHUP.
        on_tick: called twice a second.
        failed: whether the end was not asked for.
        interrupted: whether Ctrl+C was the end.

    Args:
        on_exit: called with the process id of a worker that has ended.
    """

    def __init__(
        self, workers: int, sockets: list[socket.socket], work: Work, *, on_exit: Callable[[int], None]
    ) -> None:
        config = uvicorn.Config("", log_config=None, workers=workers, lifespan="off")
        super().__init__(config, sockets)
        self.processes: list[WorkerProcess]  # type: ignore[assignment]  # ours
        self.work = work
        self.on_hangup: Callable[[], None] = lambda: None
        self.on_tick: Callable[[], None] = lambda: None
        self.failed = self.interrupted = False
        self._on_exit = on_exit
        self._start_at: dict[int, tuple[float, float]] = {}
        self._awaited: int | None = None
        self._leaving: list[WorkerProcess] = []
        self._stop_signal: int = signal.SIGTERM
        self._force = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda got, _: self._note_stop(got))
        if in_terminal():
            signal.signal(getattr(signal, HANGUP), lambda *_: self._note_stop(signal.SIGTERM))

    def _note_stop(self, number: int) -> None:
        """Stop at the first signal, at once at the second. This runs in a signal handler."""
        if self.should_exit.is_set():
            self._force = True
        else:
            self._stop_signal = number
            self.interrupted = number == signal.SIGINT
            self.should_exit.set()

    def handle_hup(self) -> None:
        self.on_hangup()

    def init_processes(self) -> None:
        """Start the first worker, which checks what the supervisor cannot, and then the others."""
        first = self._start(announces=True)
        self.processes.append(first)
        if not self._wait_until_ready(first):
            self.failed = not self.should_exit.is_set()
            self.should_exit.set()
            return
        for _ in range(self.processes_num - 1):
            self.processes.append(self._start())

    def _start(self, number: int = 0, work: Work | None = None, *, announces: bool = False) -> WorkerProcess:
        taken = {each.number for each in self.processes}
        free = next(each for each in range(1, len(taken) + 2) if each not in taken)
        process = WorkerProcess(self.config, self.sockets, work or self.work, number or free, announces=announces)
        process.start()
        return process

    def _wait_until_ready(self, process: WorkerProcess) -> bool:
        """Return whether a worker became ready before the server stops. Meanwhile the others are looked after."""
        while process.is_starting:
            if self.should_exit.wait(TICK_SECONDS):
                return False
            if process not in self.processes:
                self._replace_ended()
        return process.has_served

    def keep_subprocess_alive(self) -> None:
        """Look for requests, and replace workers that have ended or hang."""
        self.on_tick()
        self._replace_ended()

    def _replace_ended(self) -> None:
        """Replace workers that have ended or hang. One that ends again and again is started less and less often."""
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if index == self._awaited or process.is_alive():
                continue
            if process.number not in self._start_at:
                steady = process.is_steady
                self._bury(process)
                wait, then = (0.0, RETRY_SECONDS[0]) if steady else (process.retry_after, 2 * process.retry_after)
                self._start_at[process.number] = time.monotonic() + wait, min(then, RETRY_SECONDS[1])
            if self._is_lost():
                log.error("no worker runs or can be started, so the server ends")
                self.failed = True
                self.should_exit.set()
                return
            at, retry_after = self._start_at[process.number]
            if time.monotonic() >= at:
                del self._start_at[process.number]
                self.processes[index] = replacement = self._start(process.number)
                replacement.retry_after = retry_after
        self._leaving = [each for each in self._leaving if not self._has_ended(each)]

    def _is_lost(self) -> bool:
        """Return whether no worker runs or starts, and each has failed to start for long: then the port must be closed."""
        return all(
            not each.process.is_alive() and not each.has_served and each.retry_after >= RETRY_SECONDS[1]
            for each in self.processes
        )

    def _bury(self, process: WorkerProcess) -> None:
        hung = process.process.is_alive()
        process.kill()
        process.join()
        self._on_exit(process.pid or 0)
        why = "did not answer" if hung else f"ended with status {process.exitcode}"
        log.warning("worker %d (process %s) %s and is replaced", process.number, process.pid, why)

    def _has_ended(self, process: WorkerProcess) -> bool:
        ended = process.has_ended()
        if ended:
            self._on_exit(process.pid or 0)
        return ended

    def replace_all(self, work: Work) -> bool:
        """Let all workers do this work: replace one after the other. Return False if they do the present work on.

        The first new worker decides. Once it is ready, every worker has the new policy, and none keeps the previous work: the place of
        one that cannot be replaced stays empty until a new one starts. A worker that ends meanwhile is replaced as always.
        """
        try:
            for index in range(len(self.processes)):
                self._awaited = index
                if self.processes[index].work is not work and not self._replace(index, work):
                    return False
        finally:
            self._awaited = None
        served = sum(each.has_served for each in self.processes)
        level = logging.WARNING if served == len(self.processes) else logging.ERROR
        log.log(level, "%d of %d workers replaced", served, len(self.processes))
        return True

    def _replace(self, index: int, work: Work) -> bool:
        """Replace a worker. Return False if the server stops, or if the first new worker cannot start."""
        old = self.processes[index]
        new = self._start(old.number, work)
        is_ready = self._wait_until_ready(new)
        if not is_ready:
            new.kill()
            new.join()
            self._on_exit(new.pid or 0)
        if self.should_exit.is_set():
            if is_ready:
                self._retire(new)
            return False
        if not is_ready and self.work is not work:
            log.error("worker %d could not be replaced, so the present workers stay", old.number)
            return False
        self.processes[index] = new
        self._start_at.pop(old.number, None)
        self._retire(old)
        if self.work is not work:
            self.give_policy(work)
        return True

    def give_policy(self, work: Work) -> None:
        """Put the policy of this work into force in every worker now. A worker in which it is not in force soon is killed and replaced.

        Workers that start later do this work.
        """
        self.work = work
        if work.policy is None:
            return
        every = [each for each in (*self.processes, *self._leaving) if each.process.is_alive()]
        for each in every:
            each.give_policy(work.policy)
        deadline = time.monotonic() + ANSWER_SECONDS
        without = [each for each in every if not each.wait_for_policy(deadline)]
        for each in without:
            log.error("worker %d did not take the policy and is killed", each.number)
            each.process.kill()
        log.warning("the policy is in force in %d of %d workers", len(every) - len(without), len(every))

    def _retire(self, process: WorkerProcess) -> None:
        process.stop(getattr(signal, RETIRE))
        self._leaving.append(process)

    def handle_ttin(self) -> None:
        self.processes_num += 1
        self.processes.append(self._start())

    def handle_ttou(self) -> None:
        if self.processes_num > 1:
            self.processes_num -= 1
            removed = self.processes.pop()
            self._start_at.pop(removed.number, None)
            self._retire(removed)

    def terminate_all(self) -> None:
        reason = "no worker can serve" if self.failed else signal.Signals(self._stop_signal).name
        log.info("stopping: %s, workers: %d", reason, len(self.processes))
        for each in self.sockets:  # the workers still have theirs, and take what waits
            each.close()
        for process in self.processes:
            process.stop(self._stop_signal)

    def join_all(self) -> None:
        """Wait for the workers to stop, and kill those that take longer than they may."""
        left, forced, began = [*self.processes, *self._leaving], False, time.monotonic()
        while left := [each for each in left if not self._has_ended(each)]:
            if self._force and not forced:
                forced = True
                for each in left:
                    each.force()
            time.sleep(TICK_SECONDS)
        log.info("all workers stopped after %.1f s", time.monotonic() - began)

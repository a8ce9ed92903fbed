"""The supervisor and its processes, with workers that serve nothing."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from uvicorn import _subprocess
from uvicorn.supervisors.multiprocess import SIGNALS

from saasus_mcp.hosting.http import supervisor, worker_process
from saasus_mcp.hosting.http.supervisor import Supervisor
from saasus_mcp.hosting.http.worker_process import Work, Worker, WorkerProcess
from tests.support.processes import FORKING, TIMEOUT

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="one process serves there"),
]


def stand_by(folder: Path, name: str, worker: Worker, _: list[socket.socket]) -> None:
    """Be a worker that notes its start, and each policy.

    It fails if there is a file `fails` or `fails-NAME-NUMBER`, and is not ready while there is a file `holds-NAME-NUMBER`.
    """
    if (folder / "fails").exists() or (folder / f"fails-{name}-{worker.number}").exists():
        sys.exit(1)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda *_: done.set())
    worker.follow_policy(partial(note_policy, folder))
    while (folder / f"holds-{name}-{worker.number}").exists():
        time.sleep(0.01)
    (folder / f"{worker.number}-{name}-{os.getpid()}").touch()
    worker.is_ready.set()
    done.wait()


def note_policy(folder: Path, content: bytes) -> bool:
    """Note a policy for this process. A policy that begins with `!` is refused."""
    (folder / f"policy-{os.getpid()}").write_bytes(content)
    return not content.startswith(b"!")


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Give back the handlers that the supervisor replaces."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module", autouse=True)
def _fork_workers() -> Iterator[None]:
    """Fork workers from a process that has imported this module, where tests fork: to spawn one takes half a second."""
    with pytest.MonkeyPatch.context() as patch:
        if FORKING:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([__name__])
            patch.setattr(_subprocess, "spawn", context)
        yield


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Any]:
    def build(script: Callable[[Supervisor, int], bool], workers: int = 2) -> Supervisor:
        """Run a supervisor. At each tick the script does something, and returns True at its end."""
        running = Supervisor(workers, [], work(tmp_path, "old"), on_exit=lambda _: None)
        ticks = iter(range(1000))

        def tick() -> None:
            if script(running, next(ticks)):
                running.should_exit.set()

        running.on_tick = tick
        running.run()
        return running

    return build


def work(folder: Path, name: str, policy: bytes | None = None) -> Work:
    return Work(partial(stand_by, folder, name), 5.0, policy)


def policies(folder: Path, processes: list[WorkerProcess]) -> list[bytes]:
    """Return the policy that each of these workers got last."""
    noted = (folder / f"policy-{each.pid}" for each in processes)
    return [each.read_bytes() if each.exists() else b"" for each in noted]


def started(folder: Path, name: str) -> list[int]:
    """Return the numbers of the workers that have started with a work."""
    return sorted(int(each.name.split("-")[0]) for each in folder.glob(f"[0-9]*-{name}-*"))


def test_the_server_ends_when_no_worker_can_be_started_any_more(
    start: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(supervisor, "RETRY_SECONDS", (0.01, 0.04))
    seen_alive: list[bool] = []

    def break_all(running: Supervisor, _: int) -> bool:
        if len(started(tmp_path, "old")) == 2 and not (tmp_path / "fails").exists():
            (tmp_path / "fails").touch()
            for each in running.processes:
                each.process.kill()
        seen_alive.append(any(each.process.is_alive() for each in running.processes))
        return False

    with caplog.at_level(logging.ERROR):
        ended = start(break_all)
    assert ended.failed
    assert "no worker runs or can be started" in caplog.text
    assert not any(each.process.is_alive() for each in ended.processes), "nothing was starting when it gave up"


def test_one_worker_that_runs_keeps_the_server(
    start: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "RETRY_SECONDS", (0.01, 0.02))
    failures = 0

    def fail_second(running: Supervisor, _: int) -> bool:
        nonlocal failures
        (tmp_path / "fails-old-2").touch()
        if failures == 0 and running.processes[1].has_served:  # it was faster than the file
            running.processes[1].process.kill()
        failures += len(running.processes) > 1 and not running.processes[1].process.is_alive()
        return failures > 5

    assert not start(fail_second).failed


def test_new_work_that_cannot_start_leaves_the_workers_with_theirs(start: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "fails-new-1").touch()
    replaced: list[bool] = []

    def replace(running: Supervisor, _: int) -> bool:
        if len(started(tmp_path, "old")) < 2:
            return False
        replaced.append(running.replace_all(work(tmp_path, "new")))
        return True

    ended = start(replace)
    assert replaced == [False]
    assert started(tmp_path, "new") == []
    assert ended.work.run.args == (tmp_path, "old"), "a worker that starts later does the same as the others"


def test_no_worker_keeps_the_previous_work_once_the_first_has_the_new(
    start: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "fails-new-2").touch()
    olds: list[WorkerProcess] = []

    def replace(running: Supervisor, _: int) -> bool:
        if not olds and len(started(tmp_path, "old")) == 2:
            olds.extend(running.processes)
            assert running.replace_all(work(tmp_path, "new"))
            (tmp_path / "fails-new-2").unlink()
        return bool(olds) and started(tmp_path, "new") == [1, 2]

    with caplog.at_level(logging.WARNING):
        start(replace)
    assert "1 of 2 workers replaced" in caplog.text
    assert not any(each.process.is_alive() for each in olds)


def test_a_worker_that_ends_while_another_is_replaced_is_replaced_at_once(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "holds-new-1").touch()
    killed: list[int] = []

    def replace(running: Supervisor, _: int) -> bool:
        if len(started(tmp_path, "old")) < 2:
            return False
        killed.append(running.processes[1].pid or 0)
        running.processes[1].process.kill()
        release = threading.Thread(target=wait_and_release, args=(tmp_path,))
        release.start()
        assert running.replace_all(work(tmp_path, "new"))
        release.join()
        return True

    start(replace)
    assert started(tmp_path, "old") == [1, 2, 2], "with the work that was in force"
    assert started(tmp_path, "new") == [1, 2]


def wait_and_release(folder: Path) -> None:
    """Let the first new worker become ready once the second old one has a successor."""
    deadline = time.monotonic() + TIMEOUT
    while started(folder, "old") != [1, 2, 2] and time.monotonic() < deadline:
        time.sleep(0.01)
    (folder / "holds-new-1").unlink()


def test_a_policy_is_in_force_in_every_worker_before_the_supervisor_goes_on(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    seen: list[list[bytes]] = []

    def give(running: Supervisor, tick: int) -> bool:
        if tick == 0:  # the second one is still starting
            running.give_policy(work(tmp_path, "old", b"first"))
        if len(started(tmp_path, "old")) < 2:
            return False
        seen.append(policies(tmp_path, running.processes))
        running.give_policy(work(tmp_path, "old", b"second"))
        seen.append(policies(tmp_path, running.processes))
        return True

    start(give)
    assert seen == [[b"first"] * 2, [b"second"] * 2]


def test_workers_that_are_not_replaced_yet_have_the_new_policy_once_the_first_new_one_is_ready(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "holds-new-2").touch()
    seen: list[bytes] = []

    def replace(running: Supervisor, _: int) -> bool:
        if len(started(tmp_path, "old")) < 2:
            return False
        waiting = running.processes[1]
        look = threading.Thread(target=lambda: seen.extend(look_and_release(tmp_path, waiting)))
        look.start()
        assert running.replace_all(work(tmp_path, "new", b"new"))
        look.join()
        return True

    start(replace)
    assert seen == [b"new"]


def look_and_release(folder: Path, waiting: WorkerProcess) -> list[bytes]:
    """Return the policy of an old worker while its successor starts, and let that one become ready."""
    deadline = time.monotonic() + TIMEOUT
    while policies(folder, [waiting]) != [b"new"] and time.monotonic() < deadline:
        time.sleep(0.01)
    seen = policies(folder, [waiting])
    (folder / "holds-new-2").unlink()
    return seen


def test_a_worker_that_does_not_take_the_policy_is_replaced(
    start: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "ANSWER_SECONDS", 0.5)
    before: list[WorkerProcess] = []

    def give(running: Supervisor, _: int) -> bool:
        if not before and len(started(tmp_path, "old")) == 2:
            before.extend(running.processes)
            running.give_policy(work(tmp_path, "new", b"!refused"))
        return started(tmp_path, "new") == [1, 2]

    start(give)
    assert [each.exitcode for each in before] == [-signal.SIGKILL] * 2


def test_a_worker_that_hangs_does_not_hold_up_a_large_policy(
    start: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait, large = WorkerProcess.wait_for_policy, b"x" * 1_000_000
    before: list[WorkerProcess] = []

    def give_time(worker: WorkerProcess, deadline: float) -> bool:
        return wait(worker, deadline if worker is before[0] else 0.0)

    monkeypatch.setattr(WorkerProcess, "wait_for_policy", give_time)

    def give(running: Supervisor, _: int) -> bool:
        if not before and len(started(tmp_path, "old")) == 2:
            before.extend(running.processes)
            os.kill(before[1].pid or 0, signal.SIGSTOP)
            running.give_policy(work(tmp_path, "new", large))
            assert policies(tmp_path, before) == [large, b""]
        return started(tmp_path, "new") == [2]

    ended = start(give)
    assert before[1].exitcode == -signal.SIGKILL
    assert ended.processes[0] is before[0]


def test_a_worker_that_does_not_answer_delays_nothing(start: Callable[..., Any]) -> None:
    stopped: list[int] = []

    def freeze(running: Supervisor, _: int) -> bool:
        ready = [each for each in running.processes if each.has_served]
        if len(ready) == 2 and not stopped:
            stopped.append(running.processes[1].pid or 0)
            os.kill(stopped[0], signal.SIGSTOP)
            for _ in range(3):
                before = time.monotonic()
                assert running.processes[1].is_alive(), "it has time to answer"
                assert time.monotonic() - before < worker_process.ANSWER_SECONDS / 2
            assert not running.processes[1].is_alive(timeout=0.0)
            os.kill(stopped[0], signal.SIGCONT)
        return bool(stopped)

    assert not start(freeze).failed


def test_a_closing_terminal_stops_the_server(start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "in_terminal", lambda: True)
    reloads: list[int] = []

    def hang_up(running: Supervisor, tick: int) -> bool:
        running.on_hangup = lambda: reloads.append(1)
        if tick == 0:
            os.kill(os.getpid(), signal.SIGHUP)
        assert tick == 0, "it has stopped by then"
        return False

    ended = start(hang_up, workers=1)
    assert (ended.failed, reloads) == (False, [])

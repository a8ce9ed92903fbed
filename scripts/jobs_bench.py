"""What jobs of full size cost: 10,000 users exported, and 5,000 rows imported, from an API with a latency of 20 ms.

    scripts/jobs_bench.py [export] [import] [crash] [--users N] [--rows N] [--latency MILLISECONDS] [--runs N]

Each job runs in a process of its own, and the API in another. Of several runs, the fastest is shown: other work disturbed it least. `crash` imports rows into the sandbox and kills the server on the way.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2

sys.path.insert(0, str(Path(__file__).parents[1]))


from saasus_mcp.jobs.engine import HeartbeatConfig
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.scheduling.interpreter import tuned_for_serving
from saasus_mcp.store.job_records import Job
from scripts.speed import job_api
from tests.support.job_data import HEADER, sandbox_state, tenant_id
from tests.support.job_server import PLACE, AcceptingPerson, JobServer, start_job_server
from tests.support.pipeline import PRINCIPAL
from tests.support.saas_store import open_saas_store
from tests.support.sandbox_server import EXIT_KILLED, SandboxServer, serve_sandbox

ROOT = Path(__file__).parents[1]
USERS, ROWS, LATENCY = 10_000, 5_000, 20.0
JOINED = 5
"""Tenants that the imported people join, so that a dialog can show all."""
KILLED_ROWS, FATAL = 1_000, 400
JOB, CHILD = ("export", "import"), "run"
PATIENCE = 1_200.0
"""Seconds after which a job is given up."""
GOAL = 1.3
MIB = 1024


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: users to export, rows to import, the latency of the API in milliseconds, and the runs."""

    users: int = USERS
    rows: int = ROWS
    latency: float = LATENCY
    runs: int = 1


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one job took.

    Attributes:
        counts: the numbers of its report.
        calls, at_once: calls of the API, and the most at the same time, but for short peaks.
        seconds: from the call of the tool to the end of the job.
        api_seconds: those in which the job waited for at least one call of the API.
        processor: seconds of a processor that the job's process used.
        delayed: seconds for which its thread waited for a processor that other work used.
        memory, grown: MiB that the process had resident at most, and how much more than before the job.
    """

    counts: dict[str, int]
    calls: int
    at_once: int
    seconds: float
    api_seconds: float
    processor: float
    delayed: float
    memory: float
    grown: float

    def ideal(self, latency: float) -> float:
        """Return the seconds that the calls would take if nothing but the API took time."""
        return self.calls * latency / 1000 / self.at_once

    @property
    def undisturbed(self) -> float:
        """Return the seconds without those of other work on the machine."""
        return self.seconds - self.delayed


def report(kinds: Sequence[str] = JOB, size: Size | None = None) -> None:
    """Measure and print jobs."""
    size = size or Size()
    for kind in kinds:
        found = min((measure(kind, size) for _ in range(size.runs)), key=lambda each: each.undisturbed)
        ideal = found.ideal(size.latency)
        counts = ", ".join(f"{number:,} {name}" for name, number in found.counts.items())
        print(
            f"{kind}: {counts}; {found.calls:,} calls of an API with {size.latency:g} ms, {found.at_once} at once\n"
            f"  {found.seconds:.1f} s, of which {found.delayed:.1f} s waiting for a processor that other work used; "
            f"without these {found.undisturbed / ideal:.2f} of the ideal {ideal:.1f} s (goal: {GOAL})\n"
            f"  {found.api_seconds / found.seconds:.0%} of the time waiting for the API, {found.processor:.1f} s of a processor, "
            f"peak memory {found.memory:.0f} MiB ({found.grown:+.0f})",
            flush=True,
        )


def measure(kind: str, size: Size) -> Measurement:
    """Run a job in a process of its own."""
    with _api(size) as url:
        program = [sys.executable, __file__, CHILD, kind, url, str(size.rows)]
        done = subprocess.run(program, stdout=subprocess.PIPE, check=True, timeout=PATIENCE)  # noqa: S603 - this program
    return Measurement(**json.loads(done.stdout))


@contextmanager
def _api(size: Size) -> Iterator[str]:
    program = [sys.executable, job_api.__file__, str(size.users), str(size.latency / 1000)]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as process:  # noqa: S603 - this Python
        try:
            assert process.stdout is not None  # noqa: S101 - for the type
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


async def _run(kind: str, url: str, rows: int) -> Measurement:
    """Run a job in this process, whose interpreter is set as a server's."""
    gc.freeze()
    with tuned_for_serving(), tempfile.TemporaryDirectory() as folder:
        async with start_job_server(Path(folder), url=url, pace=HeartbeatConfig()) as on:
            first = job_api.identifier("tenant", 0)
            await on.call_json("job_export_users", {"tenant_ids": [first]})  # the engine starts with the first job
            args = {"csv": _list(rows)} if kind == "import" else {}
            _used(url)
            before, delayed, processor, started = _peak(), _delayed(), time.process_time(), time.time()
            job = await _finished(on, f"job_{kind}_users", args)
            seconds, processor, used = (job.ended_at or 0) - started, time.process_time() - processor, _used(url)
            delayed = _delayed() - delayed
    peak = _peak()
    return Measurement(
        job.report["counts"],
        used["calls"],
        used["at_once"],
        seconds,
        used["seconds"],
        processor,
        delayed,
        peak,
        peak - before,
    )


async def _finished(on: JobServer, name: str, args: dict[str, Any]) -> Job:
    """Start a job, consent to it, and return it when it is over."""
    started = await on.runner.start(on.runner.specs[name], Call(name, args, PRINCIPAL, elicitor=AcceptingPerson()))
    assert isinstance(started, str)  # noqa: S101 - the person answers at once
    await on.wait_for_job(started, PATIENCE)
    job = on.pipeline.store.jobs.get(started)
    assert job is not None  # noqa: S101 - for the type
    return job


def _list(rows: int) -> str:
    tenants = [job_api.identifier("tenant", number) for number in range(job_api.TENANTS)]
    lines = (f"new-{n}@example.com,,{tenants[n % JOINED]},,3,viewer,Person {n}\n" for n in range(rows))
    return HEADER + "".join(lines)


def _used(url: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx2.get(url + job_api.USED).json()
    return found


def _delayed() -> float:
    """Return the seconds for which this thread could have run and did not get a processor; 0 where the system does not say."""
    counters = Path("/proc/thread-self/schedstat")
    return int(counters.read_text(encoding="ascii").split()[1]) / 1e9 if counters.is_file() else 0.0


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


def report_crashes() -> None:
    """Import rows, kill the server on the way, and let another server go on."""
    for moment in ("before send", "before checkpoint"):
        anyio.run(_report_crash, moment)


async def _report_crash(moment: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with serve_sandbox() as on:
            listed = HEADER + "".join(
                f"new-{n}@example.com,,{tenant_id(on.sandbox)},,3,viewer,Person {n}\n" for n in range(KILLED_ROWS)
            )
            died, _ = await on.run_job(folder, moment, FATAL, listed)
            before, started = _made(on), time.perf_counter()
            _, told = await on.run_job(folder, "never")
            twice = sum(count > 1 for count in on.writes().values())
            print(
                f"crash:  {KILLED_ROWS:,} rows, killed {moment} at account {FATAL} ({died == EXIT_KILLED}); {before} accounts then, "
                f"{_made(on)} after going on for {time.perf_counter() - started:.0f} s; sent twice: {twice}; told: {told['counts']}"
            )
        store = open_saas_store(folder, PLACE.saas_id)
        outcomes = store.jobs.count_outcomes(store.jobs.list_jobs(PRINCIPAL.id, PLACE.profile, 1)[0].id)
        print(f"        steps by outcome in the store: {outcomes}")
        store.close()


def _made(on: SandboxServer) -> int:
    return sum(str(user["email"]).startswith("new-") for user in sandbox_state(on.sandbox).rows("users"))


def main(arguments: Sequence[str]) -> None:
    """Measure what is named, or both jobs."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", nargs="*", choices=[*JOB, "crash", []])
    options.add_argument("--users", type=int, default=USERS)
    options.add_argument("--rows", type=int, default=ROWS)
    options.add_argument("--latency", type=float, default=LATENCY)
    options.add_argument("--runs", type=int, default=1)
    given = options.parse_args(arguments)
    size = Size(given.users, given.rows, given.latency, given.runs)
    report([kind for kind in given.what or JOB if kind in JOB], size)
    if "crash" in given.what:
        report_crashes()


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        print(json.dumps(asdict(anyio.run(_run, sys.argv[2], sys.argv[3], int(sys.argv[4])))))
    else:
        main(sys.argv[1:])

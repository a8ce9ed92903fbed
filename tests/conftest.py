"""Which tests are collected, and the marks they get. Their fixtures are in `tests/support/fixtures.py`."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

_SAME_EVERYWHERE = settings(derandomize=True, database=None, deadline=None)
"""A failure on one machine is a failure on each."""
settings.register_profile("dev", _SAME_EVERYWHERE, max_examples=10)
settings.register_profile("ci", _SAME_EVERYWHERE, max_examples=150)
settings.load_profile("dev")

STARTERS = {
    "PIPE", "Terminal", "run_module", "serve_sandbox", "spawn_command", "start_module", "start_replicas", "start_server", "start_stdio_server",
    "subprocess",
}  # fmt: skip
"""Names that start processes. A module that imports one is marked `process`."""
ENGINES = {"start_job_server"}
"""Names that start an engine of jobs, which takes a third of a second. A module that imports one is marked `slow`."""

TESTS = Path(__file__).resolve().parent
SLOW_FOLDERS = (
    "attacks/",
    "browser/",
    "hardening/",
    "jobs/",
    "properties/",
    "questions/",
    "server/pipeline/",
    "cli/specs/",
    "scripts/",
)
"""Folders that run all operations or many examples: `make test-fast` leaves them out."""
QUICK_FOLDERS = ("scripts/catalogue/",)
"""Those within that are quick."""


VARIANT = "era"
"""The parameter of a test whose values `make test` divides among the tests. `make coverage` runs each test with all of them."""
MANY = 24
"""Cases from which a parametrised test is a matrix: it plays one in `SHARE` in `make test`."""
SHARE, COSTLY_SHARE = 4, 3
"""What is played of a matrix, and of every parametrised test in a module that starts processes or engines: one in so many."""
FEW_COLLECTIONS = 10_000, 20, 20
"""After how many objects, and fast passes, the collector of garbage runs: a fourth as often as usual, which is 3 % of the time."""
WRITTEN = {"ATTACKS", "CORPUS", "SNAPSHOTS"}
"""Variables with which tests write what they find, for which every case is needed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    about = "run the tests marked `exhaustive`, each test in both protocol eras, and walks over all operations"
    parser.addoption("--exhaustive", action="store_true", help=about)


def pytest_configure(config: pytest.Config) -> None:
    """Load the fixtures, except where other processes run the tests: to import the product takes two seconds, before they start."""
    if config.getoption("dist", "no") == "no" or hasattr(config, "workerinput"):
        config.pluginmanager.import_plugin("tests.support.fixtures")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the workers of `--numprocesses auto`: one more than cores, since tests of processes wait. On two: 329 s, not 460."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    """Have the processes that run all tests forked from one that has imported them."""
    from tests.support.processes import FORKING  # noqa: PLC0415 - see pytest_configure

    if FORKING and _are_all_tests(config):
        from tests.support.forked_runners import fork_runners  # noqa: PLC0415 - only here

        fork_runners(config, specs)


def _are_all_tests(config: pytest.Config) -> bool:
    return [Path(each).resolve() for each in config.args] == [TESTS]


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect without the collector of garbage, which would walk ten thousand tests again and again: a third of the time."""
    gc.disable()
    try:
        _share_compilation(session.config)
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*FEW_COLLECTIONS)
        gc.enable()


def _share_compilation(config: pytest.Config) -> None:
    """Import the tests, each worker from another one on, so that it finds compiled what the others began with.

    In a fresh checkout, pytest spends 12 s of processor time on assertions, and all workers would do so for each file at once.
    """
    if config.getoption("dist", "no") != "no" or not _are_all_tests(config):
        return
    worker: dict[str, str] = getattr(config, "workerinput", {"workerid": "gw0", "workercount": "1"})
    left_out = tuple(str(Path(each).resolve()) for each in config.getoption("ignore") or ())
    files = sorted(TESTS.rglob("test_*.py"))
    files = [each for each in files if not str(each).startswith(left_out) and not pytest_ignore_collect(each, config)]
    first = len(files) * int(worker["workerid"].removeprefix("gw")) // int(worker["workercount"])
    for file in files[first:] + files[:first]:
        with suppress(Exception, pytest.skip.Exception):  # the collection reports it
            import_module(".".join(file.relative_to(config.rootpath).with_suffix("").parts))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not read the slow folders where `-m` leaves all of their tests out: they are half of the collection."""
    if "not slow" not in config.option.markexpr or not collection_path.is_relative_to(TESTS):
        return None
    path = f"{collection_path.relative_to(TESTS).as_posix()}/"
    return True if _is_slow(path) and not any(each.startswith(path) for each in QUICK_FOLDERS) else None


def _is_slow(path: str) -> bool:
    """Return whether a path below `tests/` is in a slow folder."""
    return path.startswith(SLOW_FOLDERS) and not path.startswith(QUICK_FOLDERS)


def _is_exhaustive(config: pytest.Config) -> bool:
    """Return whether every case is played: by option, for tests that are named, and where tests write what they find."""
    by_name = any("::" in each for each in config.args)
    return bool(config.getoption("--exhaustive") or by_name or WRITTEN & os.environ.keys())


def _is_other_variant(test: str, case: str, variant: object) -> bool:
    """Return whether the same test runs in another era. The choice depends on the test's name, so that each era has half."""
    from tests.support.pipeline import ERAS  # noqa: PLC0415 - see pytest_configure
    from tests.support.variants import choose_era  # noqa: PLC0415

    return variant in ERAS and variant != choose_era(f"{test}[{case}]".replace(str(variant), ""))


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Leave out the cases that only `--exhaustive` plays, before tests are made of them. The first case of each test stays."""
    from tests.support.databases import SERVER  # noqa: PLC0415 - see pytest_configure

    if _is_exhaustive(metafunc.config):
        return
    test = metafunc.definition.nodeid
    kept = [call for call in metafunc._calls if not _is_other_variant(test, call.id, call.params.get(VARIANT))]
    if SERVER is None:  # `make test-postgres` plays every case
        kept = [call for call in kept if not any(mark.name in {"exhaustive", "postgresql"} for mark in call.marks)]
        is_costly = (STARTERS | ENGINES) & vars(metafunc.module).keys()
        kept = kept[:: COSTLY_SHARE if is_costly else SHARE if len(kept) >= MANY else 1]
    if kept:  # without any, the function would be a test by itself; `pytest_collection_modifyitems` leaves them out
        metafunc._calls = kept


def _module_markers(item: pytest.Item) -> list[str]:
    """Return the marks that every test of a module gets."""
    names = vars(item.module).keys() if isinstance(item, pytest.Function) else set[str]()
    is_slow = ENGINES & names or _is_slow(item.path.relative_to(TESTS).as_posix())
    return [marker for marker, applies in (("process", STARTERS & names), ("slow", is_slow)) if applies]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests that can start processes. Leave out those of PostgreSQL without a server, and what only `--exhaustive` runs."""
    from tests.support.databases import SERVER  # noqa: PLC0415 - see pytest_configure

    is_sampled = not _is_exhaustive(config) and SERVER is None
    kept, left_out = list[pytest.Item](), list[pytest.Item]()
    marked: dict[Path, list[str]] = {}
    for item in items:
        if item.path not in marked:
            marked[item.path] = _module_markers(item)
        for marker in marked[item.path]:
            item.add_marker(marker)
        without_server = SERVER is None and item.get_closest_marker("postgresql")
        others = is_sampled and item.get_closest_marker("exhaustive")
        (left_out if without_server or others else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)

"""The script that tests every Python: which interpreters it takes, and what its table says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.pythons import Result, interpreter

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_the_table_tells_failures_from_success() -> None:
    assert Result("3.12.1", "3.40.1", {"passed": 3370, "skipped": 2}, 0).row() == (
        "| 3.12.1 | 3.40.1 | 3,370 passed, 2 skipped | all passed |"
    )
    assert Result("3.12.1", "3.40.1", {"passed": 1, "failed": 2, "error": 3}, 1).row().endswith("| 5 failed |")
    assert Result("3.12.1", "3.40.1", {}, 124).row().endswith("| pytest ended with 124 |"), "no result is no success"


@pytest.mark.skipif(sys.platform == "win32", reason="the shims are those of pyenv, which are shell scripts")
def test_a_shim_with_nothing_behind_it_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = tmp_path / f"python{VERSION}"
    shim.write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert interpreter(VERSION) is None
    shim.unlink()
    shim.symlink_to(sys.executable)
    assert interpreter(VERSION) == str(shim)
    (tmp_path / "python3.99").symlink_to(sys.executable)
    assert interpreter("3.99") is None, "the name says another version than the program"

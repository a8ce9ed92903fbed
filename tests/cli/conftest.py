"""Fixtures of the tests of commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.forked_servers import forked_servers
from tests.support.home_folder import create_home

__all__ = ["forked_servers"]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return the state folder that every command of a test uses (see _own_state)."""
    return tmp_path / "state"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a home folder without clients."""
    return create_home(tmp_path / "home", monkeypatch)


@pytest.fixture(autouse=True)
def no_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the locale of the person who runs the tests: it would choose the language."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)

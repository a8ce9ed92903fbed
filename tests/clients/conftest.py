"""A home for each test of the clients' files, and a file in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.home_folder import create_home


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no uvx, whatever this machine has."""
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name == "uvx" else None)
    return create_home(tmp_path / "home", monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "client" / "settings"

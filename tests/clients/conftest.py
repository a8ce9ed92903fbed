"""A home folder for each test, and a client's file in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.home_folder import create_home


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a home folder, and find no uvx on the path."""
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name == "uvx" else None)
    return create_home(tmp_path / "home", monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "client" / "settings"

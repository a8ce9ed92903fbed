"""Fixtures of the commands' tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder that every command of a test uses (see _own_state)."""
    return tmp_path / "state"

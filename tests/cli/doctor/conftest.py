"""Fixtures of the tests of doctor."""

from __future__ import annotations

import pytest

from saasus_mcp.jobs import engine_check


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only tests of the job engine's trial start it: a start takes longer than all else that doctor does."""
    monkeypatch.setattr(engine_check, "check_engine", lambda: None)

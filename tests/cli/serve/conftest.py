"""A configuration file: a server over HTTP does not start without the one that is named."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _configuration(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("version = 1\n", encoding="utf-8")

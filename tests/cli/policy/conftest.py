"""The policy file of a support desk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.policies import CONSOLE_OPERATOR


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    file = tmp_path / "desk.yaml"
    file.write_text(CONSOLE_OPERATOR, encoding="utf-8")
    return file

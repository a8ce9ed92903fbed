"""Home folders for tests of clients' files."""

from __future__ import annotations

from pathlib import Path

import pytest

CLIENT_VARIABLES = ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "APPDATA", "LOCALAPPDATA")
"""Variables by which a client keeps its files outside the home."""


def create_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create an empty home folder for the rest of the test."""
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    for name in CLIENT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return folder

"""Paths as settings: absolute, so that nothing is ever taken from the working directory, which a model may write to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from saasus_mcp.settings.credentials import QUOTES, is_placeholder
from saasus_mcp.settings.errors import SettingsError

APPLICATION = "saasus-mcp"
WORDS = {
    "en": (
        "{variable}: not an absolute path, so the {kind} folder would depend on the working directory.",
        "Correct or unset it.",
    ),
    "ja": (
        "{variable}: 絶対パスではありません。",
        "作業フォルダーによって場所が変わらないよう、絶対パスにするか、設定を外してください。",
    ),
}


def require_absolute(path: Path) -> Path:
    """A path that means the same everywhere.

    Raises:
        ValueError: it is relative, or holds what a client or shell should have replaced or removed.
    """
    text = str(path)
    if is_placeholder(text):
        raise ValueError("write an absolute path; it contains a placeholder that was not replaced")
    if (
        text != text.strip()
        or text[:1] in QUOTES
        or text[-1:] in QUOTES
        or any(each < " " or each == "\x7f" for each in text)
    ):
        raise ValueError("write an absolute path without surrounding spaces, quotation marks or line breaks")
    if not path.is_absolute():
        raise ValueError("write an absolute path; ~ and variables are not expanded")
    return path


AbsolutePath = Annotated[Path, AfterValidator(require_absolute)]


def user_folder(kind: Literal["state", "config"], lang: Literal["en", "ja"]) -> Path:
    """Where this user's state or configuration is kept on this platform.

    Raises:
        SettingsError: the environment says a relative place (XDG_STATE_HOME, XDG_CONFIG_HOME or HOME).
    """
    import platformdirs  # noqa: PLC0415 - only where nothing is set

    find = platformdirs.user_state_path if kind == "state" else platformdirs.user_config_path
    found = find(APPLICATION, appauthor=False)
    if found.is_absolute():
        return found
    xdg = f"XDG_{kind.upper()}_HOME"
    message, mend = WORDS[lang]
    raise SettingsError(message.format(variable=xdg if os.environ.get(xdg) else "HOME", kind=kind), mend)

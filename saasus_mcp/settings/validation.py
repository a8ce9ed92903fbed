"""The errors of settings, and absolute paths: no setting is resolved in the working directory, to which a model may write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.settings.credentials import QUOTES, is_placeholder

APPLICATION = "saasus-mcp"


class SettingsError(SaasusMcpError):
    """A variable, an option or the configuration file cannot be read. Nothing is started."""


class InvalidValue(ValueError):
    """A value that a validator does not accept. It does not show the value, which may be secret."""

    def __init__(self, problem: Message) -> None:
        super().__init__(str(problem))
        self.problem = problem


def require_absolute(path: Path) -> Path:
    """Return an absolute path unchanged.

    Raises:
        InvalidValue: the path is relative, or contains text that a client or shell should have replaced or removed.
    """
    text = str(path)
    if is_placeholder(text):
        raise InvalidValue(message("settings.path_placeholder"))
    quoted = text[:1] in QUOTES or text[-1:] in QUOTES
    if quoted or text != text.strip() or any(character < " " or character == "\x7f" for character in text):
        raise InvalidValue(message("settings.path_quoted"))
    if not path.is_absolute():
        raise InvalidValue(message("settings.path_relative"))
    return path


def user_folder(kind: Literal["state", "config"]) -> Path:
    """Return the folder of this user's state or configuration on this platform.

    Raises:
        SettingsError: XDG_STATE_HOME, XDG_CONFIG_HOME or HOME is a relative path.
    """
    import platformdirs  # noqa: PLC0415 - only where no folder is set

    find = platformdirs.user_state_path if kind == "state" else platformdirs.user_config_path
    folder = find(APPLICATION, appauthor=False)
    if folder.is_absolute():
        return folder
    xdg = f"XDG_{kind.upper()}_HOME"
    variable = xdg if os.environ.get(xdg) else "HOME"
    raise SettingsError.of(
        "settings.relative_user_folder", variable=variable, kind=one_of("settings.folder_kind", kind)
    )

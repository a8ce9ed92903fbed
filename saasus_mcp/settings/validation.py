"""The errors of settings."""

from __future__ import annotations

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message


class SettingsError(SaasusMcpError):
    """A variable, an option or the configuration file cannot be read. Nothing is started."""


class InvalidValue(ValueError):
    """A value that a validator does not accept. It does not show the value, which may be secret."""

    def __init__(self, problem: Message) -> None:
        super().__init__(str(problem))
        self.problem = problem

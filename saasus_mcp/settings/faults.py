"""What a person is told when something set cannot be read."""

from __future__ import annotations

from pydantic import ValidationError

from saasus_mcp.errors import SaasusMcpError


class SettingsError(SaasusMcpError):
    """A variable, a flag or the configuration file cannot be read; the server does not start."""


def first(error: ValidationError) -> tuple[str, str]:
    """The place of the first fault, dotted, and what is wrong there. The value itself is left out: it may be secret."""
    found = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in found["loc"])
    return place, str(found["msg"]).removeprefix("Value error, ")

"""What a person is told when something set cannot be read."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import ValidationError

from saasus_mcp.common.errors import SaasusMcpError

MAX_KEY_CHARACTERS = 60


class SettingsError(SaasusMcpError):
    """A variable, a flag or the configuration file cannot be read; the server does not start."""


def describe_first_error(error: ValidationError, known: Collection[str] = ()) -> tuple[str, str]:
    """The place of the first fault, dotted, and what is wrong there. The value itself is left out: it may be secret.

    Args:
        known: keys, of which the nearest is told where one is unknown.
    """
    found = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in found["loc"])
    if found["type"] != "extra_forbidden":
        return place, str(found["msg"]).removeprefix("Value error, ")
    from difflib import get_close_matches  # noqa: PLC0415 - only on a mistake

    near = get_close_matches(str(found["loc"][-1])[:MAX_KEY_CHARACTERS], sorted(known), 1)
    return place, "unknown key" + (f" (did you mean {near[0]}?)" if near else "")

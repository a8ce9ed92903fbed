"""Reading a policy file. A file that does not load stops the server."""

from __future__ import annotations

from pathlib import Path

from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.policy import Policy, UnsafeAllowEverything

VERSION = 1
KNOWN = ("version", "unsafe-allow-everything")


class PolicyError(SaasusMcpError):
    """A policy file is not sound."""


def load(file: Path) -> Policy:
    """The policy that a file describes.

    Raises:
        PolicyError: it cannot be read, is not YAML, has an unknown key or an unknown version, or says nothing.
    """
    import yaml  # noqa: PLC0415 - only where a policy file is used

    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyError(f"{file}: it cannot be read: {error.strerror}.", "Name an existing file.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise PolicyError(f"{file}:{line} it is not YAML.", "Mend it, or start with --mode.") from None
    if not isinstance(document, dict):
        raise PolicyError(f"{file}: it holds no settings.", f"Begin with `version: {VERSION}`.")
    for key in document:
        if key not in KNOWN:
            raise PolicyError(f"{file}: {key!r} is not known.", f"Known: {', '.join(KNOWN)}.")
    if type(document.get("version")) is not int or document["version"] != VERSION:
        raise PolicyError(f"{file}: version is {document.get('version')!r}.", f"Write `version: {VERSION}`.")
    if document.get("unsafe-allow-everything") is not True:
        raise PolicyError(f"{file}: it decides nothing.", "Use --mode, or spell out `unsafe-allow-everything: true`.")
    return UnsafeAllowEverything()

"""The name of a browser in the list of a person's sessions."""

from __future__ import annotations

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)
"""Parts of a User-Agent header, and what they stand for. The first that occurs counts: Edge also calls itself Chrome and Safari."""


def browser_name(user_agent: str) -> str:
    """Return browser and system, such as "Chrome, Windows"; empty if neither is known.

    Nothing of the header itself is kept: it can contain anything.
    """
    found = (next((name for part, name in names if part in user_agent), "") for names in (_BROWSERS, _SYSTEMS))
    return ", ".join(name for name in found if name)

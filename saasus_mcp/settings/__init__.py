"""Settings: the only reader of the environment and of the configuration file. Knows none of the other rooms."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from saasus_mcp.settings.addresses import HIGHEST_PORT, endpoint, provider_url
from saasus_mcp.settings.environment import API, Mode, Settings, TracesExporter, language, places, read, variable
from saasus_mcp.settings.faults import SettingsError
from saasus_mcp.settings.profiles import Profile, credentials, profile, profiles, require_sound

if TYPE_CHECKING:
    from saasus_mcp.settings.config import http
    from saasus_mcp.settings.console import OidcTable
    from saasus_mcp.settings.hosting import Http, JwtTable

__all__ = [
    "API",
    "HIGHEST_PORT",
    "Http",
    "JwtTable",
    "Mode",
    "OidcTable",
    "Profile",
    "Settings",
    "SettingsError",
    "TracesExporter",
    "credentials",
    "endpoint",
    "http",
    "language",
    "places",
    "profile",
    "profiles",
    "provider_url",
    "read",
    "require_sound",
    "variable",
]
_ON_DEMAND = {"Http": "hosting", "JwtTable": "hosting", "OidcTable": "console", "http": "config"}


def __getattr__(name: str) -> Any:
    """What only a configuration file or hosting needs, on demand: without either, a server starts sooner."""
    if name in _ON_DEMAND:
        return getattr(import_module(f"saasus_mcp.settings.{_ON_DEMAND[name]}"), name)
    raise AttributeError(name)

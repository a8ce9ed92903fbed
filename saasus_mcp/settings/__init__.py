"""Settings: the only reader of the environment and of the configuration file. Imports only `common`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from saasus_mcp.settings.addresses import HIGHEST_PORT, parse_endpoint, parse_provider_url
from saasus_mcp.settings.environment import (
    DEFAULT_API_ORIGIN,
    LogFormat,
    LogLevel,
    Mode,
    Settings,
    TracesExporter,
    portable_variables,
    read_settings,
)
from saasus_mcp.settings.profiles import (
    credential_variables,
    load_profile,
    load_profiles,
    require_valid_credentials,
)
from saasus_mcp.settings.validation import SettingsError

if TYPE_CHECKING:
    from saasus_mcp.settings.config import load_http_settings
    from saasus_mcp.settings.hosting import HttpSettings, JwtTable, OidcTable

__all__ = [
    "DEFAULT_API_ORIGIN",
    "HIGHEST_PORT",
    "HttpSettings",
    "JwtTable",
    "LogFormat",
    "LogLevel",
    "Mode",
    "OidcTable",
    "Settings",
    "SettingsError",
    "TracesExporter",
    "credential_variables",
    "load_http_settings",
    "load_profile",
    "load_profiles",
    "parse_endpoint",
    "parse_provider_url",
    "portable_variables",
    "read_settings",
    "require_valid_credentials",
]
_ON_DEMAND = {"HttpSettings": "hosting", "JwtTable": "hosting", "OidcTable": "hosting", "load_http_settings": "config"}


def __getattr__(name: str) -> Any:
    """Import what only a configuration file or hosting needs on demand, so that a stdio server starts sooner."""
    if name in _ON_DEMAND:
        return getattr(import_module(f"saasus_mcp.settings.{_ON_DEMAND[name]}"), name)
    raise AttributeError(name)

"""Settings: the only reader of the environment and of the configuration file. Knows none of the other rooms."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from saasus_mcp.settings.addresses import HIGHEST_PORT, parse_endpoint, parse_provider_url
from saasus_mcp.settings.environment import (
    DEFAULT_API_ORIGIN,
    Mode,
    Settings,
    TracesExporter,
    portable_variables,
    read_settings,
    settings_language,
    variable_name,
)
from saasus_mcp.settings.errors import SettingsError
from saasus_mcp.settings.profiles import (
    Profile,
    credential_variables,
    load_profile,
    load_profiles,
    require_valid_credentials,
)

if TYPE_CHECKING:
    from saasus_mcp.settings.config import load_http_settings
    from saasus_mcp.settings.console import OidcTable
    from saasus_mcp.settings.hosting import HttpSettings, JwtTable

__all__ = [
    "DEFAULT_API_ORIGIN",
    "HIGHEST_PORT",
    "HttpSettings",
    "JwtTable",
    "Mode",
    "OidcTable",
    "Profile",
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
    "settings_language",
    "variable_name",
]
_ON_DEMAND = {"HttpSettings": "hosting", "JwtTable": "hosting", "OidcTable": "console", "load_http_settings": "config"}


def __getattr__(name: str) -> Any:
    """What only a configuration file or hosting needs, on demand: without either, a server starts sooner."""
    if name in _ON_DEMAND:
        return getattr(import_module(f"saasus_mcp.settings.{_ON_DEMAND[name]}"), name)
    raise AttributeError(name)

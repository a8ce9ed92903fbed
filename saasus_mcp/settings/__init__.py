"""Settings: the only reader of the environment and of the configuration file. Knows none of the other rooms."""

from saasus_mcp.settings.addresses import HIGHEST_PORT, endpoint, provider_url
from saasus_mcp.settings.config import http
from saasus_mcp.settings.console import OidcTable
from saasus_mcp.settings.environment import API, Mode, Settings, TracesExporter, places, read, variable
from saasus_mcp.settings.faults import SettingsError
from saasus_mcp.settings.hosting import Http, JwtTable
from saasus_mcp.settings.profiles import Profile, credentials, profile, profiles

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
    "places",
    "profile",
    "profiles",
    "provider_url",
    "read",
    "variable",
]

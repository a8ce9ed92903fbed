"""Where calls go, and what must be in order before a server answers."""

from __future__ import annotations

from saasus_mcp.cli import state
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.settings.environment import DEFAULT_PROFILE, Settings
from saasus_mcp.settings.profiles import load_profile
from saasus_mcp.settings.validation import SettingsError
from saasus_mcp.store.state_files import prepare_store_file

SANDBOX_PROFILE, SANDBOX_SAAS_ID = "sandbox", "sandbox"


def resolve_destination(settings: Settings) -> Destination:
    """Return the profile and the SaaS that calls go to.

    Raises:
        SettingsError: no credentials are set, or the sandbox is combined with a profile.
    """
    if settings.sandbox:
        if settings.profile != DEFAULT_PROFILE:
            raise SettingsError.of("cli_serve.sandbox_with_profile")
        return Destination(SANDBOX_PROFILE, SANDBOX_SAAS_ID, sandbox=True)
    profile = load_profile(settings)
    return Destination(profile.name, profile.saas_id)


def check_prerequisites(settings: Settings) -> None:
    """Check credentials, state folder and key before the server answers. Raise SaasusMcpError if one of them cannot be used."""
    destination = resolve_destination(settings)
    if settings.database_url is None:
        prepare_store_file(settings.state_folder, destination.saas_id)
        with state.open_state(settings) as stores:
            stores.require_key(destination.saas_id)
    state.load_encryptor(settings)

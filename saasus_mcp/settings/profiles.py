"""Profiles: named sets of SaaSus credentials from the configuration file, or from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from saasus_mcp.common.messages import message, one_of
from saasus_mcp.settings.credentials import find_credential_flaw
from saasus_mcp.settings.environment import Settings, known_variables, used_variable, variable_name
from saasus_mcp.settings.unknown_variables import find_similar_variables, printable_name
from saasus_mcp.settings.validation import SettingsError

if TYPE_CHECKING:
    from saasus_mcp.settings.config import ProfileTable
    from saasus_mcp.settings.models import SecretSource

EVERYONE = "*"


@dataclass(frozen=True, slots=True)
class Profile:
    """One set of credentials.

    Attributes:
        groups: groups of HTTP callers who may use it; "*" is every authenticated caller.
        secrets: sources of `secret://NAME`, by name.
    """

    name: str
    saas_id: str
    api_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    api_url_base: str
    groups: frozenset[str] = frozenset()
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)

    def read_secret(self, name: str) -> str | None:
        """Return the current secret of `secret://NAME`, or None if the profile does not list the name.

        Raises:
            SettingsError: the listed secret cannot be read.
        """
        source = self.secrets.get(name)
        return source.read() if source is not None else None


def load_profiles(settings: Settings) -> dict[str, Profile]:
    """Return every profile by name: those of the configuration file, or the one of the environment.

    Raises:
        SettingsError: the file has a fault, or credentials are missing or invalid.
    """
    tables: Mapping[str, ProfileTable | None] = _load_tables(settings) or {settings.profile: None}
    return {name: _profile(settings, name, table) for name, table in tables.items()}


def profile_names(settings: Settings) -> frozenset[str]:
    """Return the names of the profiles of the configuration file. Raise SettingsError if the file has a fault."""
    return frozenset(_load_tables(settings))


def load_profile(settings: Settings) -> Profile:
    """Return the chosen profile. Raise SettingsError if no profile has this name, or its credentials are missing or invalid."""
    return _profile(settings, settings.profile, _load_table(settings))


def credential_variables(settings: Settings) -> dict[str, str]:
    """Return the environment variables that the chosen profile's secrets need, with their current values.

    The value of an unset variable is empty. Secrets in files need no variable.

    Raises:
        SettingsError: the file has a fault, or no profile has this name.
    """
    table = _load_table(settings)
    variables: dict[str, str] = {}
    if table is None or table.saas_id is None:
        variables = {
            variable_name("saas_id"): settings.saas_id,
            variable_name("api_key"): settings.api_key.get_secret_value(),
            variable_name("secret_key"): settings.secret_key.get_secret_value(),
        }
    for source in (table.saas_id, table.api_key, table.secret_key, *table.secrets.values()) if table else ():
        if source is not None and not isinstance(source, str) and source.env:
            variables[source.env] = source.current_value()
    return variables


def _load_tables(settings: Settings) -> Mapping[str, ProfileTable]:
    """Return the profiles of the configuration file. Without a file, its reader is not imported, which saves start-up time.

    Raises:
        SettingsError: the file has a fault.
    """
    if not settings.has_config_file:
        return {}
    from saasus_mcp.settings.config import config_of  # noqa: PLC0415 - see above

    return config_of(settings).profiles


def _load_table(settings: Settings) -> ProfileTable | None:
    """Return the table of the chosen profile, or None if the credentials are in the environment."""
    tables = _load_tables(settings)
    table = tables.get(settings.profile)
    if table is None and tables:
        raise SettingsError(
            message("settings.no_profile", file=str(settings.config_file), name=settings.profile),
            message("settings.no_profile_hint", known=tuple(tables)),
        )
    return table


def _profile(settings: Settings, name: str, table: ProfileTable | None) -> Profile:
    if table is None:
        return _from_environment(settings, name)
    if table.saas_id is None or table.api_key is None or table.secret_key is None:
        return replace(_from_environment(settings, name), groups=table.groups, secrets=table.secrets)
    saas_id = table.saas_id if isinstance(table.saas_id, str) else table.saas_id.read()
    credentials = {"saas_id": saas_id, "api_key": table.api_key.read(), "secret_key": table.secret_key.read()}
    require_valid_credentials({f"profiles.{name}.{key}": value for key, value in credentials.items()})
    return Profile(
        name=name, **credentials, api_url_base=table.api_url_base, groups=table.groups, secrets=table.secrets
    )


def _from_environment(settings: Settings, name: str) -> Profile:
    api_key, secret_key = settings.api_key.get_secret_value(), settings.secret_key.get_secret_value()
    given = {
        used_variable("saas_id"): settings.saas_id,
        used_variable("api_key"): api_key,
        used_variable("secret_key"): secret_key,
    }
    require_valid_credentials(given)
    if missing := tuple(variable for variable, value in given.items() if not value):
        similar = tuple(printable_name(variable) for variable in find_similar_variables(missing, known_variables()))
        hint = (
            message("settings.similar_credentials_hint", similar=similar)
            if similar
            else message("settings.missing_credentials_hint")
        )
        raise SettingsError(message("settings.missing_credentials", names=missing), hint)
    return Profile(name, settings.saas_id, api_key, secret_key, settings.api_url_base)


def require_valid_credentials(given: Mapping[str, str], *, spaces: bool = False) -> None:
    """Check that credentials are exactly the issued values. Empty ones are accepted here.

    Args:
        given: credentials by the name of their setting.
        spaces: whether spaces are allowed.

    Raises:
        SettingsError: a credential is a placeholder or an example, or has extra characters. The text does not show it.
    """
    flaws = {
        name: flaw for name, value in given.items() if (flaw := find_credential_flaw(value, spaces=spaces)) is not None
    }
    if not flaws:
        return
    worst = "reference" if "reference" in flaws.values() else next(iter(flaws.values()))
    names = tuple(name for name, flaw in flaws.items() if flaw == worst)
    hint = message("settings.reference_hint") if worst == "reference" else message("settings.copy_again_hint")
    raise SettingsError(one_of("settings.credential", worst, names=names), hint)

"""The configuration file, TOML: what more than one set of credentials needs. It names where secrets are, and holds none."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from saasus_mcp.common.private_files import UnsafeFile, read_provided_file
from saasus_mcp.settings.addresses import ApiOrigin
from saasus_mcp.settings.console import ConsoleTable, OidcTable
from saasus_mcp.settings.environment import DEFAULT_API_ORIGIN, Settings
from saasus_mcp.settings.errors import SettingsError, describe_first_error
from saasus_mcp.settings.hosting import AuthTable, HttpSettings, HttpTable, JwtTable, resolve_http_settings
from saasus_mcp.settings.secret_sources import SecretSource, SecretSourceField
from saasus_mcp.settings.strict import StrictModel

PROFILE_NAME = r"^[A-Za-z0-9_-]{1,40}$"
SECRET_NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,79}$"  # noqa: S105 - a name, not a secret


class ProfileTable(StrictModel):
    """`[profiles.NAME]`: one set of SaaSus credentials; without any, those of the environment.

    Attributes:
        groups: of callers over HTTP who may use it; nobody where empty. "*" is everyone who is authenticated.
        secrets: what `secret://NAME` stands for in arguments that take a secret.
    """

    saas_id: str | SecretSource | None = None
    api_key: SecretSourceField | None = None
    secret_key: SecretSourceField | None = None
    api_url_base: ApiOrigin = DEFAULT_API_ORIGIN
    groups: frozenset[str] = frozenset()
    secrets: dict[Annotated[str, Field(pattern=SECRET_NAME)], SecretSourceField] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = [self.saas_id is not None, self.api_key is not None, self.secret_key is not None]
        if any(given) and not all(given):
            raise ValueError("set all of saas_id, api_key and secret_key, or none of them to use the environment")
        return self


class Config(StrictModel):
    """The whole file."""

    version: Literal[1]
    profiles: dict[Annotated[str, Field(pattern=PROFILE_NAME)], ProfileTable] = Field(default_factory=dict)
    http: HttpTable = HttpTable()
    auth: AuthTable = AuthTable()
    console: ConsoleTable = ConsoleTable()


EMPTY_CONFIG = Config(version=1)
TABLES = (Config, ProfileTable, SecretSource, HttpTable, AuthTable, JwtTable, ConsoleTable, OidcTable)
CONFIG_KEYS = frozenset(name for table in TABLES for name in table.model_fields)
"""Every key of every table: what a misspelt one may have meant."""
MAX_CONFIG_BYTES = 1024 * 1024
"""Bytes of the file."""


@cache
def load_config(file: Path) -> Config:
    """What the file says; nothing where there is none.

    Raises:
        SettingsError: it cannot be read: where in it, and what is accepted.
    """
    try:
        text = read_provided_file(file, MAX_CONFIG_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        return EMPTY_CONFIG
    except UnsafeFile as error:
        raise SettingsError(error.message, error.hint) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {type(error).__name__}.", "Nothing was started.") from None
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not TOML: {error}.", "Nothing was started.") from None
    except RecursionError:
        raise SettingsError(f"{file} is nested too deeply.", "Nothing was started.") from None
    except ValidationError as error:
        place, message = describe_first_error(error, CONFIG_KEYS)
        raise SettingsError(f"{file}: {place}: {message}.", "Nothing was started.") from None


def referenced_variables(config: BaseModel) -> set[str]:
    """The environment variables in which a configuration file says that secrets are."""
    found: set[str] = set()
    waiting: list[Any] = [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, SecretSource):
            found |= {one.env} if one.env else set()
        elif isinstance(one, BaseModel):
            waiting += [getattr(one, name) for name in type(one).model_fields]
        elif isinstance(one, dict):
            waiting += one.values()
    return found


def load_http_settings(settings: Settings) -> HttpSettings:
    """What hosting is set to.

    Raises:
        SettingsError: the file is not sound, or others could reach the server and it is not said by which address.
    """
    config = load_config(settings.config_file)
    return resolve_http_settings(
        config.http, config.auth, settings.host, settings.port, settings.public_url, console=config.console
    )

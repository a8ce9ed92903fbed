"""The configuration file, TOML: what more than one set of credentials needs. It names where secrets are, and holds none."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from saasus_mcp.private_files import UnsafeFile, read_given
from saasus_mcp.settings.addresses import Api
from saasus_mcp.settings.console import ConsoleTable, OidcTable
from saasus_mcp.settings.environment import API, Settings
from saasus_mcp.settings.faults import SettingsError, first
from saasus_mcp.settings.hosting import AuthTable, Http, HttpTable, JwtTable, settled
from saasus_mcp.settings.sources import Secret, Source
from saasus_mcp.settings.strict import Strict

NAME = r"^[A-Za-z0-9_-]{1,40}$"
REFERENCE = r"^[A-Za-z][A-Za-z0-9_-]{0,79}$"


class ProfileTable(Strict):
    """`[profiles.NAME]`: one set of SaaSus credentials; without any, those of the environment.

    Attributes:
        groups: of callers over HTTP who may use it; nobody where empty. "*" is everyone who is authenticated.
        secrets: what `secret://NAME` stands for in arguments that take a secret.
    """

    saas_id: str | Source | None = None
    api_key: Secret | None = None
    secret_key: Secret | None = None
    api_url_base: Api = API
    groups: frozenset[str] = frozenset()
    secrets: dict[Annotated[str, Field(pattern=REFERENCE)], Secret] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = [self.saas_id is not None, self.api_key is not None, self.secret_key is not None]
        if any(given) and not all(given):
            raise ValueError("set all of saas_id, api_key and secret_key, or none of them to use the environment")
        return self


class Config(Strict):
    """The whole file."""

    version: Literal[1]
    profiles: dict[Annotated[str, Field(pattern=NAME)], ProfileTable] = Field(default_factory=dict)
    http: HttpTable = HttpTable()
    auth: AuthTable = AuthTable()
    console: ConsoleTable = ConsoleTable()


EMPTY = Config(version=1)
TABLES = (Config, ProfileTable, Source, HttpTable, AuthTable, JwtTable, ConsoleTable, OidcTable)
KEYS = frozenset(name for table in TABLES for name in table.model_fields)
"""Every key of every table: what a misspelt one may have meant."""
LARGEST = 1024 * 1024
"""Bytes of the file."""


@cache
def load(file: Path) -> Config:
    """What the file says; nothing where there is none.

    Raises:
        SettingsError: it cannot be read: where in it, and what is accepted.
    """
    try:
        text = read_given(file, LARGEST).decode("utf-8-sig")
    except FileNotFoundError:
        return EMPTY
    except UnsafeFile as error:
        raise SettingsError(error.message, error.mend) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {type(error).__name__}.", "Nothing was started.") from None
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not TOML: {error}.", "Nothing was started.") from None
    except RecursionError:
        raise SettingsError(f"{file} is nested too deeply.", "Nothing was started.") from None
    except ValidationError as error:
        place, message = first(error, KEYS)
        raise SettingsError(f"{file}: {place}: {message}.", "Nothing was started.") from None


def variables(config: BaseModel) -> set[str]:
    """The environment variables in which a configuration file says that secrets are."""
    found: set[str] = set()
    waiting: list[Any] = [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Source):
            found |= {one.env} if one.env else set()
        elif isinstance(one, BaseModel):
            waiting += [getattr(one, name) for name in type(one).model_fields]
        elif isinstance(one, dict):
            waiting += one.values()
    return found


def http(settings: Settings) -> Http:
    """What hosting is set to.

    Raises:
        SettingsError: the file is not sound, or others could reach the server and it is not said by which address.
    """
    config = load(settings.config_file)
    return settled(config.http, config.auth, settings.host, settings.port, settings.public_url, console=config.console)

"""The configuration file, TOML: profiles and hosting. It names the sources of secrets and contains none."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from saasus_mcp.common.messages import message
from saasus_mcp.common.private_files import UnsafeFile, read_provided_file
from saasus_mcp.common.system_reasons import os_reason, toml_reason
from saasus_mcp.settings.environment import DEFAULT_API_ORIGIN, PROFILE_NAME, Settings, variable_name
from saasus_mcp.settings.hosting import (
    AuthTable,
    ConsoleTable,
    HttpSettings,
    HttpTable,
    JwtTable,
    OidcTable,
    resolve_http_settings,
)
from saasus_mcp.settings.models import ApiOrigin, SecretSource, SecretSourceField, StrictModel, describe_first_error
from saasus_mcp.settings.notices import ChatworkTable, EmailTable, NoticesTable, UrlChannelTable, WebhookTable
from saasus_mcp.settings.validation import InvalidValue, SettingsError

SECRET_NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,79}$"  # noqa: S105 - a pattern


class ProfileTable(StrictModel):
    """`[profiles.NAME]`: one set of SaaSus credentials. Without credentials, the environment's are used.

    Attributes:
        groups: groups of HTTP callers who may use the profile; "*" is every authenticated caller, empty is no caller.
        secrets: sources of `secret://NAME` in arguments that take a secret, by name.
    """

    saas_id: str | SecretSource | None = None
    api_key: SecretSourceField | None = None
    secret_key: SecretSourceField | None = None
    api_url_base: ApiOrigin = DEFAULT_API_ORIGIN
    groups: frozenset[str] = frozenset()
    secrets: dict[Annotated[str, Field(pattern=SECRET_NAME)], SecretSourceField] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _require_all_or_none(self) -> Self:
        given = [self.saas_id is not None, self.api_key is not None, self.secret_key is not None]
        if any(given) and not all(given):
            raise InvalidValue(message("settings.incomplete_profile"))
        return self


def _require_version(value: object) -> object:
    """Refuse a file without a version: a person who copied a table from the documentation sees the line to add."""
    if value is None:
        raise InvalidValue(message("settings.version_missing"))
    return value


class Config(StrictModel):
    """The whole file."""

    version: Annotated[Literal[1], BeforeValidator(_require_version)] = Field(default=None, validate_default=True)
    profiles: dict[Annotated[str, Field(pattern=f"^{PROFILE_NAME}$")], ProfileTable] = Field(default_factory=dict)
    http: HttpTable = HttpTable()
    auth: AuthTable = AuthTable()
    console: ConsoleTable = ConsoleTable()
    notices: NoticesTable = NoticesTable()


EMPTY_CONFIG = Config(version=1)
TABLES = (
    *(Config, ProfileTable, SecretSource, HttpTable, AuthTable, JwtTable, ConsoleTable, OidcTable),
    *(NoticesTable, UrlChannelTable, ChatworkTable, EmailTable, WebhookTable),
)
CONFIG_KEYS = frozenset(field.alias or name for table in TABLES for name, field in table.model_fields.items())
"""Every key of every table, to suggest one for a misspelt key."""
MAX_CONFIG_BYTES = 1024 * 1024


def config_of(settings: Settings) -> Config:
    """Return the configuration of these settings: of the contents that they have, or of the file.

    Raises:
        SettingsError: see `load_config`.
    """
    if settings.contents is not None:
        return _parse_config(settings.config_file, settings.contents.config)
    return load_config(settings.config_file)


@cache
def load_config(file: Path) -> Config:
    """Return the content of the configuration file, or `EMPTY_CONFIG` if there is no file.

    Raises:
        SettingsError: the file cannot be read or has an invalid value.
    """
    return _parse_config(file, read_config(file))


def read_config(file: Path) -> bytes | None:
    """Return the bytes of the configuration file, or None if there is no file. Raise SettingsError if the file cannot be read."""
    try:
        return read_provided_file(file, MAX_CONFIG_BYTES)
    except FileNotFoundError:
        return None
    except UnsafeFile as error:
        raise SettingsError(error.message, error.hint) from error
    except OSError as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: OSError | UnicodeDecodeError) -> SettingsError:
    if isinstance(error, UnicodeDecodeError):
        return SettingsError.of("settings.file_not_text", file=str(file), reason=os_reason(error))
    return SettingsError.of("settings.file_unreadable", file=str(file), reason=os_reason(error))


@cache
def _parse_config(file: Path, content: bytes | None) -> Config:
    if content is None:
        return EMPTY_CONFIG
    hint = message("settings.correct_value_hint")
    try:
        return Config.model_validate(tomllib.loads(content.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise _unreadable(file, error) from None
    except tomllib.TOMLDecodeError as error:
        reason = toml_reason(error)
        raise SettingsError(message("settings.file_not_toml", file=str(file), reason=reason), hint) from None
    except RecursionError:
        raise SettingsError(message("settings.file_too_deep", file=str(file)), hint) from None
    except ValidationError as error:
        path, problem = describe_first_error(error, CONFIG_KEYS)
        raise SettingsError(
            message("settings.invalid_in_file", file=str(file), setting=path, problem=problem), hint
        ) from None


def referenced_variables(config: BaseModel) -> set[str]:
    """Return the environment variables that a configuration names as sources of secrets."""
    variables: set[str] = set()
    pending: list[Any] = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, SecretSource):
            variables |= {value.env} if value.env else set()
        elif isinstance(value, BaseModel):
            pending += [getattr(value, name) for name in type(value).model_fields]
        elif isinstance(value, dict):
            pending += value.values()
    return variables


def require_named_file(settings: Settings) -> None:
    """Refuse to serve over HTTP without the file that is named, since it says who may call.

    Raises:
        SettingsError: `config` is set, and there is no such file.
    """
    if settings.config is not None and not settings.has_config_file:
        raise SettingsError.of("settings.no_config_file", setting=variable_name("config"), file=str(settings.config))


def load_http_settings(settings: Settings) -> HttpSettings:
    """Return the settings of hosting, from options, environment and configuration file.

    Raises:
        SettingsError: the file has a fault, or the server is reachable by other machines and has no public URL.
    """
    config = config_of(settings)
    return resolve_http_settings(
        config.http,
        config.auth,
        console=config.console,
        host=settings.host,
        port=settings.port,
        public_url=settings.public_url,
        workers=settings.workers,
    )

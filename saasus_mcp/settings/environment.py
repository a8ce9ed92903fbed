"""Settings from command-line options and the environment. An invalid value is an error that names the setting, never a default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, model_validator

from saasus_mcp.common import timezones
from saasus_mcp.common.language import Language, locale_language
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import read_switch
from saasus_mcp.settings.addresses import HIGHEST_PORT, ApiOrigin, HostName, PublicUrl
from saasus_mcp.settings.paths import AbsolutePath, user_folder
from saasus_mcp.settings.shared_database import DatabaseUrl, SealingKeys, read_key_file
from saasus_mcp.settings.unknown_variables import (
    OTHER_VARIABLES,
    find_unknown_variables,
    is_service_link,
    refuse_duplicate_variables,
    unknown_variables_error,
)
from saasus_mcp.settings.validation import InvalidValue, SettingsError, StrictModel, describe_first_error

DEFAULT_API_ORIGIN = "https://api.saasus.io"


def parse_switch(value: Any) -> bool:
    """Return the value of a switch: 1, true, yes, on or their opposites, in any letter case. An empty text is off."""
    text = str(value).strip()
    switch = read_switch(text) if text else False
    if switch is None:
        raise InvalidValue(message("settings.value.boolean"))
    return switch


def parse_time_zone(value: Any) -> str:
    """Return the name of a known time zone."""
    name = str(value).strip()
    if timezones.find_time_zone(name) is None:
        raise InvalidValue(message("settings.time_zone"))
    return name


Switch = Annotated[bool, BeforeValidator(parse_switch)]
TimeZone = Annotated[str, BeforeValidator(parse_time_zone)]
Mode = Literal["read-only", "guarded", "strict"]
MODES: tuple[Mode, ...] = get_args(Mode)
TracesExporter = Literal["none", "console", "otlp"]
LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


class Settings(StrictModel):
    """Every setting, from options first and then from the environment.

    No `.env` file is read and nothing is taken from the working directory, to which a model can write.
    """

    saas_id: str = Field("", validation_alias=AliasChoices("SAASUS_SAAS_ID", "SAASUS_PLATFORM_SAASID"))
    api_key: SecretStr = Field(SecretStr(""), validation_alias=AliasChoices("SAASUS_API_KEY", "SAASUS_PLATFORM_APIKEY"))
    secret_key: SecretStr = Field(
        SecretStr(""), validation_alias=AliasChoices("SAASUS_SECRET_KEY", "SAASUS_PLATFORM_SECRETKEY")
    )
    api_url_base: ApiOrigin = Field(
        DEFAULT_API_ORIGIN, validation_alias=AliasChoices("SAASUS_API_URL_BASE", "SAASUS_PLATFORM_API_URL_BASE")
    )
    own_read_only: Switch = Field(False, validation_alias=AliasChoices("SAASUS_MCP_READ_ONLY"))
    official_read_only: Switch = Field(False, validation_alias=AliasChoices("SAASUS_PLATFORM_API_READ_ONLY_MODE"))
    mode: Mode | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_MODE"))
    policy: AbsolutePath | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_POLICY"))
    sandbox: Switch = Field(False, validation_alias=AliasChoices("SAASUS_MCP_SANDBOX"))
    lang: Language = Field("en", validation_alias=AliasChoices("SAASUS_MCP_LANG"))
    time_zone: TimeZone | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_TIME_ZONE"))
    profile: str = Field(
        "default", validation_alias=AliasChoices("SAASUS_MCP_PROFILE"), pattern=r"^[A-Za-z0-9_-]{1,40}$"
    )
    config: AbsolutePath | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_CONFIG"))
    transport: Literal["stdio", "http"] = Field("stdio", validation_alias=AliasChoices("SAASUS_MCP_TRANSPORT"))
    host: HostName | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_HOST"))
    port: int | None = Field(None, ge=0, le=HIGHEST_PORT, validation_alias=AliasChoices("SAASUS_MCP_PORT"))
    public_url: PublicUrl | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_PUBLIC_URL"))
    state_dir: AbsolutePath | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_STATE_DIR"))
    database_url: DatabaseUrl | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_DATABASE_URL"))
    sealing_keys: SealingKeys = Field((), validation_alias=AliasChoices("SAASUS_MCP_SEALING_KEYS"))
    sealing_keys_file: AbsolutePath | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_SEALING_KEYS_FILE"))
    answer_budget: int = Field(
        24 * 1024, ge=4096, le=1024 * 1024, validation_alias=AliasChoices("SAASUS_MCP_ANSWER_BUDGET")
    )
    traces: TracesExporter = Field("none", validation_alias=AliasChoices("OTEL_TRACES_EXPORTER"))
    log_format: LogFormat = Field("text", validation_alias=AliasChoices("SAASUS_MCP_LOG_FORMAT"))
    log_level: LogLevel | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_LOG_LEVEL"))
    timeout: float = Field(30.0, gt=0, le=600, validation_alias=AliasChoices("SAASUS_MCP_TIMEOUT"))
    call_seconds: float = Field(50.0, ge=5, le=600, validation_alias=AliasChoices("SAASUS_MCP_CALL_SECONDS"))

    @model_validator(mode="before")
    @classmethod
    def _read_key_file(cls, given: Any) -> Any:
        """Replace the file of sealing keys with the keys."""
        keys, file = variable_name("sealing_keys"), variable_name("sealing_keys_file")
        if not isinstance(given, dict) or not given.get(file):
            return given
        if given.get(keys):
            raise InvalidValue(message("settings.two_key_settings", keys=keys, file=file))
        try:
            return {**given, keys: read_key_file(Path(given[file]), file)}
        except InvalidValue as error:
            raise InvalidValue(message("settings.prefixed", setting=file, problem=error.problem)) from None

    @model_validator(mode="after")
    def _require_consistency(self) -> Self:
        if self.policy is not None and self.mode not in (None, "read-only"):
            raise InvalidValue(message("settings.mode_and_policy"))
        if self.database_url is not None and not self.sealing_keys:
            raise InvalidValue(message("settings.sealing_keys_required"))
        return self

    @property
    def read_only(self) -> bool:
        """True if either switch is on: if the two variables disagree, the safe one wins."""
        return self.own_read_only or self.official_read_only

    @property
    def zone(self) -> tzinfo | None:
        """The time zone for people; None for that of their language."""
        return timezones.find_time_zone(self.time_zone) if self.time_zone else None

    @property
    def state_folder(self) -> Path:
        """The folder of the stores and keys: `state_dir`, or the user's platform state folder."""
        return self.state_dir if self.state_dir is not None else user_folder("state")

    @property
    def config_file(self) -> Path:
        """The configuration file, which may be missing: `config`, or config.toml in the user's configuration folder."""
        return self.config if self.config is not None else user_folder("config") / "config.toml"


PORTABLE_SETTINGS = ("api_url_base", "config", "state_dir", "timeout", "call_seconds", "answer_budget")
"""Settings without secret and without option: a server that a client starts needs them in the client's file."""


def portable_variables(settings: Settings) -> dict[str, str]:
    """Return the variables of the `PORTABLE_SETTINGS` that are set, with absolute paths."""
    values = {name: getattr(settings, name) for name in PORTABLE_SETTINGS if name in settings.model_fields_set}
    return {
        variable_name(name): str(value.absolute() if isinstance(value, Path) else value)
        for name, value in values.items()
    }


def variable_name(name: str) -> str:
    """Return the environment variable of a setting: this program's own name, not that of the official server."""
    return _variables(name)[0]


def _variables(name: str) -> list[str]:
    alias = Settings.model_fields[name].validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [name]


def used_variable(name: str) -> str:
    """Return the environment variable from which a setting is taken: the first of its names that is set, or the first."""
    present = _present_variables()
    return next((variable for variable in _variables(name) if variable in present), variable_name(name))


def _present_variables() -> dict[str, str]:
    """Return the variables that are set and not empty, with names in upper case."""
    return {name.upper(): value for name, value in os.environ.items() if value and not is_service_link(name, value)}


def _environment() -> dict[str, str]:
    """Return the values of the settings that are set, by the first variable of each setting."""
    present = _present_variables()
    values = ((name, [present[each] for each in _variables(name) if each in present]) for name in Settings.model_fields)
    return {variable_name(name): found[0] for name, found in values if found}


def settings_language(option: str | None) -> Language:
    """Return the language of a person when the settings cannot be read: of the option, of the environment, of the locale."""
    language = option or _environment().get(variable_name("lang")) or locale_language(os.environ)
    return "ja" if language == "ja" else "en"


def read_settings(**options: Any) -> Settings:
    """Return the settings from options (None if not given) and from the environment.

    Raises:
        SettingsError: a value is invalid, or a variable looks like a setting and is unknown.
    """
    refuse_duplicate_variables()
    given = {variable_name(name): value for name, value in options.items() if value is not None}
    try:
        settings = Settings(**{**_environment(), **given})
    except ValidationError as error:
        path, problem = describe_first_error(error)
        name = _reported_name(path.split(".", 1)[0], given)
        found = (
            message("settings.invalid", setting=name, problem=problem)
            if name
            else message("settings.invalid_settings", problem=problem)
        )
        raise SettingsError(found, message("settings.nothing_started_hint")) from None
    _refuse_unknown(settings)
    return settings


def _reported_name(variable: str, given: Mapping[str, Any]) -> str:
    """Return the name by which an invalid setting was set, which may be that of the official server."""
    names = {variable_name(name): name for name in Settings.model_fields}
    return used_variable(names[variable]) if variable in names and variable not in given else variable


def known_variables() -> frozenset[str]:
    """Return every environment variable that is read as a setting."""
    return frozenset(each for name in Settings.model_fields for each in _variables(name)) | OTHER_VARIABLES


def _refuse_unknown(settings: Settings) -> None:
    """Refuse variables that look like settings and are unknown. The configuration file may name further variables.

    Raises:
        SettingsError: a variable is unknown.
    """
    known = known_variables()
    unknown = find_unknown_variables(known - OTHER_VARIABLES)
    if not unknown:
        return
    from saasus_mcp.settings.config import load_config, referenced_variables  # noqa: PLC0415 - rarely needed

    referenced = referenced_variables(load_config(settings.config_file))
    if unknown := [name for name in unknown if name not in referenced]:
        raise unknown_variables_error(unknown, {name for name in known if name.startswith("SAASUS_MCP_")})

"""What flags and the environment say. An unreadable value is an error that names it, never a default."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, model_validator

from saasus_mcp.common import timezones
from saasus_mcp.settings.addresses import HIGHEST_PORT, ApiOrigin, HostName, PublicUrl
from saasus_mcp.settings.errors import SettingsError, describe_first_error
from saasus_mcp.settings.paths import AbsolutePath, user_folder
from saasus_mcp.settings.shared_database import DatabaseUrl, SealingKeys, read_key_file
from saasus_mcp.settings.strict import StrictModel
from saasus_mcp.settings.unknown_variables import (
    OTHER_VARIABLES,
    find_unknown_variables,
    is_service_link,
    refuse_duplicate_variables,
    unknown_variables_error,
)

DEFAULT_API_ORIGIN = "https://api.saasus.io"
YES, NO = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off", ""})


def parse_switch(value: Any) -> bool:
    """A switch as people write it: 1, true, yes, on and their opposites, in any case."""
    text = str(value).strip().lower()
    if text not in YES | NO:
        raise ValueError("write true or false")
    return text in YES


def parse_time_zone(value: Any) -> str:
    """The name of a time zone that this machine knows."""
    name = str(value).strip()
    if timezones.find_time_zone(name) is None:
        raise ValueError("write a time zone of the IANA database, such as Asia/Tokyo or UTC")
    return name


Switch = Annotated[bool, BeforeValidator(parse_switch)]
TimeZone = Annotated[str, BeforeValidator(parse_time_zone)]
Mode = Literal["read-only", "guarded", "strict"]
TracesExporter = Literal["none", "console", "otlp"]


class Settings(StrictModel):
    """Everything that can be set, from flags first and then from the environment.

    No `.env` file is read and nothing is taken from the working directory: a model can write there.
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
    lang: Literal["en", "ja"] = Field("en", validation_alias=AliasChoices("SAASUS_MCP_LANG"))
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
    timeout: float = Field(30.0, gt=0, le=600, validation_alias=AliasChoices("SAASUS_MCP_TIMEOUT"))
    call_seconds: float = Field(50.0, ge=5, le=600, validation_alias=AliasChoices("SAASUS_MCP_CALL_SECONDS"))

    @model_validator(mode="before")
    @classmethod
    def _keys_of_file(cls, given: Any) -> Any:
        """The sealing keys that are kept in a file, as if they had been given."""
        keys, file = variable_name("sealing_keys"), variable_name("sealing_keys_file")
        if not isinstance(given, dict) or not given.get(file):
            return given
        if given.get(keys):
            raise ValueError(f"{keys} and {file}: set only one")
        try:
            return {**given, keys: read_key_file(Path(given[file]))}
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.policy is not None and self.mode not in (None, "read-only"):
            raise ValueError(
                "SAASUS_MCP_MODE and SAASUS_MCP_POLICY: set only one; only read-only can be combined with a policy"
            )
        if self.database_url is not None and not self.sealing_keys:
            raise ValueError(
                "SAASUS_MCP_SEALING_KEYS: required with SAASUS_MCP_DATABASE_URL: servers that share a database share "
                "the key of what is in it; make a file of it once, `(umask 077; openssl rand -base64 32 > sealing_key)`, and "
                "name it to all of them as SAASUS_MCP_SEALING_KEYS_FILE"
            )
        return self

    @property
    def read_only(self) -> bool:
        """Whether either switch says read-only: where two names disagree, the safe one holds."""
        return self.own_read_only or self.official_read_only

    @property
    def zone(self) -> tzinfo | None:
        """The time zone of what people read; None for that of their language."""
        return timezones.find_time_zone(self.time_zone) if self.time_zone else None

    @property
    def state_folder(self) -> Path:
        """Where state is kept: the set folder, or the user's platform state folder."""
        if self.state_dir is not None:
            return self.state_dir
        return user_folder("state", self.lang)

    @property
    def config_file(self) -> Path:
        """The configuration file, which need not be there: the set one, or that in the user's configuration folder."""
        if self.config is not None:
            return self.config
        return user_folder("config", self.lang) / "config.toml"


PORTABLE_SETTINGS = ("api_url_base", "config", "state_dir", "timeout", "call_seconds", "answer_budget")
"""Settings that hold no secret and have no flag: a server that a client starts knows them only if the client's file says."""


def portable_variables(settings: Settings) -> dict[str, str]:
    """Those of PLACES that are set, by their variables; a folder by its absolute path."""
    found = {name: getattr(settings, name) for name in PORTABLE_SETTINGS if name in settings.model_fields_set}
    return {
        variable_name(name): str(value.absolute() if isinstance(value, Path) else value)
        for name, value in found.items()
    }


def variable_name(name: str) -> str:
    """The environment variable of a setting, by its name in code; of several, ours before the official server's."""
    return _variables(name)[0]


def _variables(name: str) -> list[str]:
    alias = Settings.model_fields[name].validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [name]


def used_variable(name: str) -> str:
    """The environment variable that a setting is taken from: the first of its names that is set, else the first."""
    present = _present()
    return next((one for one in _variables(name) if one in present), variable_name(name))


def _present() -> dict[str, str]:
    """What is set, in any case of letters. Empty is not set."""
    return {name.upper(): value for name, value in os.environ.items() if value and not is_service_link(name, value)}


def _environment() -> Iterator[tuple[str, str]]:
    """What is set, by the first variable of each setting."""
    present = _present()
    for name in Settings.model_fields:
        found = [present[one] for one in _variables(name) if one in present]
        if found:
            yield variable_name(name), found[0]


def settings_language(flag: str | None) -> Literal["en", "ja"]:
    """What to speak where the settings cannot be read: as the flag says, or the environment, or English."""
    said = flag or dict(_environment()).get(variable_name("lang"))
    return "ja" if said == "ja" else "en"


def read_settings(**flags: Any) -> Settings:
    """The settings from flags (None where not given) and, behind them, the environment.

    Raises:
        SettingsError: a value cannot be read: which one, and what is accepted; or a variable that looks like a setting
            is none.
    """
    lang = settings_language(flags.get("lang"))
    refuse_duplicate_variables(lang)
    flagged = {variable_name(name): value for name, value in flags.items() if value is not None}
    given = {**dict(_environment()), **flagged}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        place, message = describe_first_error(error)
        name = _named(place.split(".", 1)[0], flagged)
        raise SettingsError(f"{name}: {message}." if name else f"{message}.", "Nothing was started.") from None
    _refuse_unknown(settings, lang)
    return settings


def _named(place: str, flagged: Mapping[str, Any]) -> str:
    """The variable at fault by the name that was used for it, of those that a setting has."""
    names = {variable_name(name): name for name in Settings.model_fields}
    return used_variable(names[place]) if place in names and place not in flagged else place


def known_variables() -> frozenset[str]:
    """Every environment variable that is read as a setting."""
    return frozenset(one for name in Settings.model_fields for one in _variables(name)) | OTHER_VARIABLES


def _refuse_unknown(settings: Settings, lang: Literal["en", "ja"]) -> None:
    """See that nothing which looks like a setting is left unread. The configuration file may name variables of its own.

    Raises:
        SettingsError: there is such a variable.
    """
    known = known_variables() - OTHER_VARIABLES
    found = find_unknown_variables(known)
    if not found:
        return
    from saasus_mcp.settings.config import load_config, referenced_variables  # noqa: PLC0415 - only on a mistake, or with such names

    own = referenced_variables(load_config(settings.config_file))
    found = [name for name in found if name not in own]
    if found:
        raise unknown_variables_error(
            found, {name for name in known | OTHER_VARIABLES if name.startswith("SAASUS_MCP_")}, lang
        )

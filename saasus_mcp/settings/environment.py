"""What flags and the environment say. An unreadable value is an error that names it, never a default."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, model_validator

from saasus_mcp.settings.addresses import HIGHEST_PORT, Api, Host, Public
from saasus_mcp.settings.faults import SettingsError, first
from saasus_mcp.settings.sharing import DatabaseUrl, SealingKeys, key_file
from saasus_mcp.settings.strict import Strict

API = "https://api.saasus.io"
YES, NO = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off", ""})


def switch(value: Any) -> bool:
    """A switch as people write it: 1, true, yes, on and their opposites, in any case."""
    text = str(value).strip().lower()
    if text not in YES | NO:
        raise ValueError("write true or false")
    return text in YES


Switch = Annotated[bool, BeforeValidator(switch)]
Mode = Literal["read-only", "guarded", "strict"]
TracesExporter = Literal["none", "console", "otlp"]


class Settings(Strict):
    """Everything that can be set, from flags first and then from the environment.

    No `.env` file is read and nothing is taken from the working directory: a model can write there.
    """

    saas_id: str = Field("", validation_alias=AliasChoices("SAASUS_SAAS_ID", "SAASUS_PLATFORM_SAASID"))
    api_key: SecretStr = Field(SecretStr(""), validation_alias=AliasChoices("SAASUS_API_KEY", "SAASUS_PLATFORM_APIKEY"))
    secret_key: SecretStr = Field(
        SecretStr(""), validation_alias=AliasChoices("SAASUS_SECRET_KEY", "SAASUS_PLATFORM_SECRETKEY")
    )
    api_url_base: Api = Field(API, validation_alias=AliasChoices("SAASUS_API_URL_BASE", "SAASUS_PLATFORM_API_URL_BASE"))
    own_read_only: Switch = Field(False, validation_alias=AliasChoices("SAASUS_MCP_READ_ONLY"))
    official_read_only: Switch = Field(False, validation_alias=AliasChoices("SAASUS_PLATFORM_API_READ_ONLY_MODE"))
    mode: Mode | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_MODE"))
    policy: Path | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_POLICY"))
    sandbox: Switch = Field(False, validation_alias=AliasChoices("SAASUS_MCP_SANDBOX"))
    lang: Literal["en", "ja"] = Field("en", validation_alias=AliasChoices("SAASUS_MCP_LANG"))
    profile: str = Field(
        "default", validation_alias=AliasChoices("SAASUS_MCP_PROFILE"), pattern=r"^[A-Za-z0-9_-]{1,40}$"
    )
    config: Path | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_CONFIG"))
    transport: Literal["stdio", "http"] = Field("stdio", validation_alias=AliasChoices("SAASUS_MCP_TRANSPORT"))
    host: Host | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_HOST"))
    port: int | None = Field(None, ge=0, le=HIGHEST_PORT, validation_alias=AliasChoices("SAASUS_MCP_PORT"))
    public_url: Public | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_PUBLIC_URL"))
    state_dir: Path | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_STATE_DIR"))
    database_url: DatabaseUrl | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_DATABASE_URL"))
    sealing_keys: SealingKeys = Field((), validation_alias=AliasChoices("SAASUS_MCP_SEALING_KEYS"))
    sealing_keys_file: Path | None = Field(None, validation_alias=AliasChoices("SAASUS_MCP_SEALING_KEYS_FILE"))
    answer_budget: int = Field(
        24 * 1024, ge=4096, le=1024 * 1024, validation_alias=AliasChoices("SAASUS_MCP_ANSWER_BUDGET")
    )
    traces: TracesExporter = Field("none", validation_alias=AliasChoices("OTEL_TRACES_EXPORTER"))
    timeout: float = Field(30.0, gt=0, le=600, validation_alias=AliasChoices("SAASUS_MCP_TIMEOUT"))

    @model_validator(mode="before")
    @classmethod
    def _keys_of_file(cls, given: Any) -> Any:
        """The sealing keys that are kept in a file, as if they had been given."""
        keys, file = variable("sealing_keys"), variable("sealing_keys_file")
        if not isinstance(given, dict) or not given.get(file):
            return given
        if given.get(keys):
            raise ValueError(f"{keys} and {file}: give one")
        try:
            return {**given, keys: key_file(Path(given[file]))}
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.policy is not None and self.mode not in (None, "read-only"):
            raise ValueError("SAASUS_MCP_MODE and SAASUS_MCP_POLICY: give one; only read-only goes with a policy")
        if self.policy is not None and not self.policy.is_absolute():
            raise ValueError("SAASUS_MCP_POLICY: write an absolute path")
        if self.config is not None and not self.config.is_absolute():
            raise ValueError("SAASUS_MCP_CONFIG: write an absolute path")
        if self.database_url is not None and not self.sealing_keys:
            raise ValueError(
                "SAASUS_MCP_SEALING_KEYS: not set, and SAASUS_MCP_DATABASE_URL is: servers that share a database share "
                "the key of what is in it; make a file of it once, `(umask 077; openssl rand -base64 32 > sealing_key)`, and "
                "name it to all of them as SAASUS_MCP_SEALING_KEYS_FILE"
            )
        return self

    @property
    def read_only(self) -> bool:
        """Whether either switch says read-only: where two names disagree, the safe one holds."""
        return self.own_read_only or self.official_read_only

    @property
    def folder(self) -> Path:
        """Where state is kept: the set folder, or the user's platform state folder."""
        if self.state_dir is not None:
            return self.state_dir
        from platformdirs import user_state_path  # noqa: PLC0415 - only where nothing is set

        return user_state_path("saasus-mcp", appauthor=False)

    @property
    def config_file(self) -> Path:
        """The configuration file, which need not be there: the set one, or that in the user's configuration folder."""
        if self.config is not None:
            return self.config
        from platformdirs import user_config_path  # noqa: PLC0415 - only where nothing is set

        return user_config_path("saasus-mcp", appauthor=False) / "config.toml"


PLACES = ("api_url_base", "config", "state_dir", "timeout", "answer_budget")
"""Settings that hold no secret and have no flag: a server that a client starts knows them only if the client's file says."""


def places(settings: Settings) -> dict[str, str]:
    """Those of PLACES that are set, by their variables; a folder by its absolute path."""
    found = {name: getattr(settings, name) for name in PLACES if name in settings.model_fields_set}
    return {
        variable(name): str(value.absolute() if isinstance(value, Path) else value) for name, value in found.items()
    }


def variable(name: str) -> str:
    """The environment variable of a setting, by its name in code; of several, ours before the official server's."""
    return _variables(name)[0]


def _variables(name: str) -> list[str]:
    alias = Settings.model_fields[name].validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [name]


def _environment() -> Iterator[tuple[str, str]]:
    """What is set, in any case of letters, by the first variable of each setting. Empty is not set."""
    present = {name.upper(): value for name, value in os.environ.items() if value}
    for name in Settings.model_fields:
        found = [present[one] for one in _variables(name) if one in present]
        if found:
            yield variable(name), found[0]


def language(flag: str | None) -> Literal["en", "ja"]:
    """What to speak where the settings cannot be read: as the flag says, or the environment, or English."""
    said = flag or dict(_environment()).get(variable("lang"))
    return "ja" if said == "ja" else "en"


def read(**flags: Any) -> Settings:
    """The settings from flags (None where not given) and, behind them, the environment.

    Raises:
        SettingsError: a value cannot be read: which one, and what is accepted.
    """
    flagged = {variable(name): value for name, value in flags.items() if value is not None}
    given = {**dict(_environment()), **flagged}
    try:
        return Settings(**given)
    except ValidationError as error:
        place, message = first(error)
        name = place.split(".", 1)[0]
        raise SettingsError(f"{name}: {message}." if name else f"{message}.", "Nothing was started.") from None

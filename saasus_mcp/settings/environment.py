"""Settings from command-line options and the environment. An invalid value is an error that names the setting, never a default."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import tzinfo
from pathlib import Path
from typing import Any, Literal, get_args

from saasus_mcp.common import timezones
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message
from saasus_mcp.settings.addresses import HIGHEST_PORT, MAX_WORKERS, parse_api_origin, parse_host_name, parse_public_url
from saasus_mcp.settings.unknown_variables import (
    OTHER_VARIABLES,
    find_unknown_variables,
    is_service_link,
    refuse_duplicate_variables,
    unknown_variables_error,
)
from saasus_mcp.settings.validation import InvalidValue, SettingsError, user_folder
from saasus_mcp.settings.values import (
    Secret,
    choice_of,
    parse_database_url,
    parse_path,
    parse_sealing_keys,
    parse_secret,
    parse_switch,
    parse_time_zone,
    read_key_file,
    seconds,
    text_like,
    whole_number,
)

DEFAULT_API_ORIGIN = "https://api.saasus.io"
PROFILE_NAME = "[A-Za-z0-9_-]{1,40}"
DEFAULT_PROFILE = "default"

Mode = Literal["read-only", "guarded", "strict"]
MODES: tuple[Mode, ...] = get_args(Mode)
TracesExporter = Literal["none", "console", "otlp"]
LogFormat = Literal["text", "json"]
Transport = Literal["stdio", "http"]
LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class FileContents:
    """The contents of the files that say what a server does, for processes that must do the same. None without such a file."""

    config: bytes | None
    policy: bytes | None


def _setting(default: Any, *variables: str, parse: Callable[[Any], Any] = str) -> Any:
    """Return the field of a setting, with its variables, by descending precedence, and what reads its value."""
    return field(default=default, metadata={"variables": variables, "parse": parse})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, from options first and then from the environment.

    No `.env` file is read and nothing is taken from the working directory, to which a model can write.

    Attributes:
        contents: the contents that stand for `config_file` and `policy`; None if these files are read where they are needed.
        given: the names of the settings that were set.
    """

    saas_id: str = _setting("", "SAASUS_SAAS_ID", "SAASUS_PLATFORM_SAASID")
    api_key: Secret[str] = _setting(Secret(""), "SAASUS_API_KEY", "SAASUS_PLATFORM_APIKEY", parse=parse_secret)
    secret_key: Secret[str] = _setting(Secret(""), "SAASUS_SECRET_KEY", "SAASUS_PLATFORM_SECRETKEY", parse=parse_secret)
    api_url_base: str = _setting(
        DEFAULT_API_ORIGIN, "SAASUS_API_URL_BASE", "SAASUS_PLATFORM_API_URL_BASE", parse=parse_api_origin
    )
    own_read_only: bool = _setting(False, "SAASUS_MCP_READ_ONLY", parse=parse_switch)
    official_read_only: bool = _setting(False, "SAASUS_PLATFORM_API_READ_ONLY_MODE", parse=parse_switch)
    mode: Mode | None = _setting(None, "SAASUS_MCP_MODE", parse=choice_of(*MODES))
    policy: Path | None = _setting(None, "SAASUS_MCP_POLICY", parse=parse_path)
    sandbox: bool = _setting(False, "SAASUS_MCP_SANDBOX", parse=parse_switch)
    lang: Language = _setting("en", "SAASUS_MCP_LANG", parse=choice_of(*get_args(Language)))
    time_zone: str | None = _setting(None, "SAASUS_MCP_TIME_ZONE", parse=parse_time_zone)
    profile: str = _setting(DEFAULT_PROFILE, "SAASUS_MCP_PROFILE", parse=text_like(PROFILE_NAME))
    config: Path | None = _setting(None, "SAASUS_MCP_CONFIG", parse=parse_path)
    transport: Transport = _setting("stdio", "SAASUS_MCP_TRANSPORT", parse=choice_of(*get_args(Transport)))
    host: str | None = _setting(None, "SAASUS_MCP_HOST", parse=parse_host_name)
    port: int | None = _setting(None, "SAASUS_MCP_PORT", parse=whole_number(0, HIGHEST_PORT))
    public_url: str | None = _setting(None, "SAASUS_MCP_PUBLIC_URL", parse=parse_public_url)
    workers: int | None = _setting(None, "SAASUS_MCP_WORKERS", parse=whole_number(1, MAX_WORKERS))
    state_dir: Path | None = _setting(None, "SAASUS_MCP_STATE_DIR", parse=parse_path)
    database_url: Secret[str] | None = _setting(None, "SAASUS_MCP_DATABASE_URL", parse=parse_database_url)
    sealing_keys: tuple[Secret[bytes], ...] = _setting((), "SAASUS_MCP_SEALING_KEYS", parse=parse_sealing_keys)
    sealing_keys_file: Path | None = _setting(None, "SAASUS_MCP_SEALING_KEYS_FILE", parse=parse_path)
    answer_budget: int = _setting(24 * 1024, "SAASUS_MCP_ANSWER_BUDGET", parse=whole_number(4096, 1024 * 1024))
    traces: TracesExporter = _setting("none", "OTEL_TRACES_EXPORTER", parse=choice_of(*get_args(TracesExporter)))
    log_format: LogFormat = _setting("text", "SAASUS_MCP_LOG_FORMAT", parse=choice_of(*get_args(LogFormat)))
    log_level: LogLevel | None = _setting(None, "SAASUS_MCP_LOG_LEVEL", parse=choice_of(*get_args(LogLevel)))
    timeout: float = _setting(30.0, "SAASUS_MCP_TIMEOUT", parse=seconds(600))
    call_seconds: float = _setting(50.0, "SAASUS_MCP_CALL_SECONDS", parse=seconds(600, least=5))
    contents: FileContents | None = field(default=None, repr=False)
    given: frozenset[str] = frozenset()

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
        """`config`, or config.toml in the user's configuration folder, where it may be missing."""
        return self.config if self.config is not None else user_folder("config") / "config.toml"

    @property
    def has_config_file(self) -> bool:
        """Whether there is a configuration file. Without one, its reader need not be imported, which saves start-up time."""
        if self.contents is not None:
            return self.contents.config is not None
        try:
            self.config_file.stat()
        except FileNotFoundError:
            return False
        except OSError:
            pass  # its reader explains it
        return True


MAX_STATE_DIR_BYTES = 400
"""SQLite opens no file whose path has more than 512 bytes; the rest is for the names of the stores."""
_FIELDS = {each.name: each for each in fields(Settings) if each.metadata}
VARIABLES: Mapping[str, Sequence[str]] = {name: each.metadata["variables"] for name, each in _FIELDS.items()}
"""The environment variables of each setting, by descending precedence."""
PORTABLE_SETTINGS = ("api_url_base", "config", "state_dir", "timeout", "call_seconds", "answer_budget")
"""Settings without secret and without option: a server that a client starts needs them in the client's file."""


def portable_variables(settings: Settings) -> dict[str, str]:
    """Return the variables of the `PORTABLE_SETTINGS` that are set, with absolute paths."""
    values = {name: getattr(settings, name) for name in PORTABLE_SETTINGS if name in settings.given}
    return {
        variable_name(name): str(value.absolute() if isinstance(value, Path) else value)
        for name, value in values.items()
    }


def variable_name(name: str) -> str:
    """Return the environment variable of a setting: this program's own name, not that of the official server."""
    return VARIABLES[name][0]


def used_variable(name: str) -> str:
    """Return the environment variable from which a setting is taken: the first of its names that is set, or the first."""
    present = _present_variables()
    return next((variable for variable in VARIABLES[name] if variable in present), variable_name(name))


def _present_variables() -> dict[str, str]:
    """Return the variables that are set and not empty, with names in upper case."""
    return {name.upper(): value for name, value in os.environ.items() if value and not is_service_link(name, value)}


def _environment() -> dict[str, Any]:
    """Return the values of the settings that are set, by the first variable of each setting."""
    present = _present_variables()
    values = ((name, [present[each] for each in variables if each in present]) for name, variables in VARIABLES.items())
    return {name: found[0] for name, found in values if found}


def read_settings(**options: Any) -> Settings:
    """Return the settings from options (None if not given) and from the environment.

    Raises:
        SettingsError: a value is invalid, or a variable looks like a setting and is unknown.
    """
    refuse_duplicate_variables()
    chosen = {name: value for name, value in options.items() if value is not None}
    if unknown := chosen.keys() - VARIABLES.keys():
        raise KeyError(*unknown)
    try:
        given = _with_key_file({**_environment(), **chosen})
        settings = Settings(**_parse(given, chosen), given=frozenset(given))
        _require_consistency(settings)
    except InvalidValue as error:
        raise _invalid(message("settings.invalid_settings", problem=error.problem)) from None
    _refuse_unknown(settings)
    return settings


def _with_key_file(given: dict[str, Any]) -> dict[str, Any]:
    """Return the values with the keys of the file of sealing keys."""
    if not given.get("sealing_keys_file"):
        return given
    keys, file = variable_name("sealing_keys"), variable_name("sealing_keys_file")
    if given.get("sealing_keys"):
        raise InvalidValue(message("settings.two_key_settings", keys=keys, file=file))
    try:
        return {**given, "sealing_keys": read_key_file(Path(given["sealing_keys_file"]), file)}
    except InvalidValue as error:
        raise InvalidValue(message("settings.prefixed", setting=file, problem=error.problem)) from None


def _parse(given: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as the settings have them.

    Raises:
        SettingsError: a value is invalid.
    """
    values = {}
    for name in (name for name in _FIELDS if name in given):
        try:
            values[name] = _FIELDS[name].metadata["parse"](given[name])
        except InvalidValue as error:
            shown = used_variable(name)
            if name in options:
                shown = f"--{name.replace('_', '-')} ({variable_name(name)})"
            raise _invalid(message("settings.invalid", setting=shown, problem=error.problem)) from None
    return values


def _invalid(found: Message) -> SettingsError:
    return SettingsError(found, message("settings.correct_value_hint"))


def _require_consistency(settings: Settings) -> None:
    if settings.policy is not None and settings.mode not in (None, "read-only"):
        raise InvalidValue(message("settings.mode_and_policy"))
    if settings.database_url is not None and not settings.sealing_keys:
        raise InvalidValue(message("settings.sealing_keys_required"))
    if settings.state_dir is not None and len(os.fsencode(settings.state_dir)) > MAX_STATE_DIR_BYTES:
        raise InvalidValue(message("settings.long_path", setting=variable_name("state_dir"), most=MAX_STATE_DIR_BYTES))


def known_variables() -> frozenset[str]:
    """Return every environment variable that is read as a setting."""
    return frozenset(each for variables in VARIABLES.values() for each in variables) | OTHER_VARIABLES


def _refuse_unknown(settings: Settings) -> None:
    """Refuse variables that look like settings and are unknown. The configuration file may name further variables.

    Raises:
        SettingsError: a variable is unknown.
    """
    known = known_variables()
    unknown = find_unknown_variables(known - OTHER_VARIABLES)
    if not unknown:
        return
    from saasus_mcp.settings.config import config_of, referenced_variables  # noqa: PLC0415 - rarely needed

    referenced = referenced_variables(config_of(settings))
    if unknown := [name for name in unknown if name not in referenced]:
        raise unknown_variables_error(unknown, {name for name in known if name.startswith("SAASUS_MCP_")})

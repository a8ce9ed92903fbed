"""The configuration file, TOML: what more than one set of credentials needs. It names where secrets are, and holds none."""

from __future__ import annotations

import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from saasus_mcp.settings.addresses import Api
from saasus_mcp.settings.environment import API, Settings
from saasus_mcp.settings.faults import SettingsError, first
from saasus_mcp.settings.hosting import AuthTable, Http, HttpTable, settled
from saasus_mcp.settings.strict import Strict

NAME = r"^[A-Za-z0-9_-]{1,40}$"
REFERENCE = r"^[A-Za-z][A-Za-z0-9_-]{0,79}$"
LARGEST = 64 * 1024


class Source(Strict):
    """Where a secret is: an environment variable, or a file that holds nothing else."""

    env: str | None = Field(None, min_length=1)
    file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError('write {env = "NAME"} or {file = "/absolute/path"}')
        if self.file is not None and not self.file.is_absolute():
            raise ValueError("file: write an absolute path")
        return self

    def __str__(self) -> str:
        return f"environment variable {self.env}" if self.env else f"file {self.file}"

    def read(self) -> str:
        """The secret, read now. The end of a file's last line is not part of it.

        Raises:
            SettingsError: it is not there, or empty.
        """
        try:
            found = os.environ.get(self.env, "") if self.env else self._content()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"The {self} cannot be read: {type(error).__name__}.", "See who may read it.") from None
        if not found:
            raise SettingsError(f"The {self} is not set or empty.", "Set it where the server runs.")
        return found

    def held(self) -> str:
        """What the environment variable holds now; nothing where it is not set."""
        return os.environ.get(self.env or "", "")

    def _content(self) -> str:
        assert self.file is not None  # noqa: S101 - by _one
        with self.file.open(encoding="utf-8") as handle:
            return handle.read(LARGEST).rstrip("\r\n")


def _no_literal(value: Any) -> Any:
    """A credential written into the file is refused before anything can show it."""
    if not isinstance(value, dict):
        raise ValueError('a secret is never written here: write {env = "NAME"} or {file = "/absolute/path"}')  # noqa: TRY004 - pydantic's way
    return value


Secret = Annotated[Source, BeforeValidator(_no_literal)]


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
            raise ValueError("give all of saas_id, api_key and secret_key, or none to use the environment's")
        return self


class Config(Strict):
    """The whole file."""

    version: Literal[1]
    profiles: dict[Annotated[str, Field(pattern=NAME)], ProfileTable] = Field(default_factory=dict)
    http: HttpTable = HttpTable()
    auth: AuthTable = AuthTable()


EMPTY = Config(version=1)


@cache
def load(file: Path) -> Config:
    """What the file says; nothing where there is none.

    Raises:
        SettingsError: it cannot be read: where in it, and what is accepted.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return EMPTY
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {type(error).__name__}.", "Nothing was started.") from None
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not TOML: {error}.", "Nothing was started.") from None
    except ValidationError as error:
        place, message = first(error)
        raise SettingsError(f"{file}: {place}: {message}.", "Nothing was started.") from None


def http(settings: Settings) -> Http:
    """What hosting is set to.

    Raises:
        SettingsError: the file is not sound, or others could reach the server and it is not said by which address.
    """
    config = load(settings.config_file)
    return settled(config.http, config.auth, settings.host, settings.port, settings.public_url)

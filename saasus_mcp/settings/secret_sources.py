"""Where a secret is, which the configuration file says; the secret itself is never in it."""

from __future__ import annotations

import os
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from saasus_mcp.common.private_files import UnsafeFile, read_provided_file
from saasus_mcp.settings.errors import SettingsError
from saasus_mcp.settings.paths import AbsolutePath
from saasus_mcp.settings.strict import StrictModel

MAX_SECRET_BYTES = 64 * 1024


class SecretSource(StrictModel):
    """Where a secret is: an environment variable, or a file that holds nothing else."""

    env: str | None = Field(None, min_length=1)
    file: AbsolutePath | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError('write {env = "NAME"} or {file = "/absolute/path"}')
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
        except UnsafeFile as error:
            raise SettingsError(error.message, error.hint) from error
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"The {self} cannot be read: {type(error).__name__}.", "Check its permissions."
            ) from None
        if not found:
            raise SettingsError(f"The {self} is missing or empty.", "Set it where the server runs.")
        return found

    def current_value(self) -> str:
        """What the environment variable holds now; nothing where it is not set."""
        return os.environ.get(self.env or "", "")

    def _content(self) -> str:
        assert self.file is not None  # noqa: S101 - by _one
        return read_provided_file(self.file, MAX_SECRET_BYTES).decode().rstrip("\r\n")


def _no_literal(value: Any) -> Any:
    """A credential written into the file is refused before anything can show it."""
    if not isinstance(value, dict):
        raise ValueError('secrets must not be written here; use {env = "NAME"} or {file = "/absolute/path"}')  # noqa: TRY004 - pydantic's way
    return value


SecretSourceField = Annotated[SecretSource, BeforeValidator(_no_literal)]

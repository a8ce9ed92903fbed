"""Sources of secrets: the configuration file names an environment variable or a file and never contains the secret."""

from __future__ import annotations

import os
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.private_files import UnsafeFile, read_provided_file
from saasus_mcp.common.system_reasons import os_reason
from saasus_mcp.settings.models import AbsolutePath, StrictModel
from saasus_mcp.settings.validation import InvalidValue, SettingsError

MAX_SECRET_BYTES = 64 * 1024


class SecretSource(StrictModel):
    """An environment variable, or a file whose whole content is the secret."""

    env: str | None = Field(None, min_length=1)
    file: AbsolutePath | None = None

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise InvalidValue(message("settings.secret_source"))
        return self

    @property
    def label(self) -> Message:
        """The source in words: the name of the variable or the path of the file."""
        if self.env:
            return message("settings.environment_source", name=self.env)
        return message("settings.file_source", path=str(self.file))

    def __str__(self) -> str:
        return str(self.label)

    def read(self) -> str:
        """Return the current secret, without the line break at the end of a file.

        Raises:
            SettingsError: the secret is missing, empty, or cannot be read.
        """
        try:
            secret = self._file_content() if self.env is None else self.current_value()
        except UnsafeFile as error:
            raise SettingsError(error.message, error.hint) from error
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError.of("settings.secret_unreadable", source=self.label, reason=os_reason(error)) from None
        if not secret:
            raise SettingsError.of("settings.secret_missing", source=self.label)
        return secret

    def current_value(self) -> str:
        """Return the value of the environment variable, or an empty string."""
        return os.environ.get(self.env or "", "")

    def _file_content(self) -> str:
        assert self.file is not None  # noqa: S101 - by _require_one
        return read_provided_file(self.file, MAX_SECRET_BYTES).decode().rstrip("\r\n")


def _refuse_literal(value: Any) -> Any:
    """Refuse a credential written into the file, before anything can show it."""
    if not isinstance(value, dict):
        raise InvalidValue(message("settings.literal_secret"))
    return value


SecretSourceField = Annotated[SecretSource, BeforeValidator(_refuse_literal)]

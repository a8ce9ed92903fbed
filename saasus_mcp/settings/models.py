"""Tables of the configuration file as pydantic models, and what is wrong with a value in both languages.

Only who reads the file imports this: pydantic would take a third of the time in which a server on stdio starts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from saasus_mcp.common.messages import Message, Parameter, message, one_of
from saasus_mcp.common.private_files import UnsafeFile, read_provided_file
from saasus_mcp.common.system_reasons import os_reason
from saasus_mcp.common.text import nearest_names
from saasus_mcp.settings import addresses, values
from saasus_mcp.settings.validation import InvalidValue, SettingsError, require_absolute

ApiOrigin = Annotated[str, BeforeValidator(addresses.parse_api_origin)]
HostName = Annotated[str, BeforeValidator(addresses.parse_host_name)]
PublicUrl = Annotated[str, BeforeValidator(addresses.parse_public_url)]
WebOrigin = Annotated[str, BeforeValidator(addresses.parse_web_origin)]
ProviderUrl = Annotated[str, BeforeValidator(addresses.parse_provider_url)]
AbsolutePath = Annotated[Path, AfterValidator(require_absolute)]
TimeZone = Annotated[str, BeforeValidator(values.parse_time_zone)]

_KINDS: Mapping[str, str] = {
    "missing": "missing",
    "literal_error": "choice",
    "string_type": "text",
    "string_pattern_mismatch": "pattern",
    "string_too_short": "min_characters",
    "string_too_long": "max_characters",
    "too_short": "min_entries",
    "int_type": "whole_number",
    "int_parsing": "whole_number",
    "int_parsing_size": "whole_number",
    "int_from_float": "whole_number",
    "float_type": "number",
    "float_parsing": "number",
    "finite_number": "number",
    "bool_type": "boolean",
    "bool_parsing": "boolean",
    "greater_than": "greater_than",
    "greater_than_equal": "at_least",
    "less_than_equal": "at_most",
    "tuple_type": "list",
    "frozen_set_type": "list",
    "model_type": "table",
    "dict_type": "table",
}
"""Messages of `settings.value` by pydantic's error types. pydantic's own texts are English only."""
MAX_SECRET_BYTES = 64 * 1024


class StrictModel(BaseModel):
    """An immutable table that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def describe_first_error(error: ValidationError, known: Collection[str] = ()) -> tuple[str, Message]:
    """Return the dotted path of the first invalid value and the problem. The value is left out: it may be secret.

    Args:
        known: keys, the most similar of which is suggested for an unknown key.
    """
    found = error.errors(include_url=False, include_input=False)[0]
    context = found.get("ctx", {})
    path = ".".join(str(part) for part in found["loc"])
    if isinstance(invalid := context.get("error"), InvalidValue):
        return path, invalid.problem
    if found["type"] == "extra_forbidden":
        return path, _unknown_key(str(found["loc"][-1]), known)
    kind = _KINDS.get(found["type"], "other")
    params: dict[str, Parameter] = {
        name: value for name, value in context.items() if isinstance(value, str | int | float)
    }
    if kind == "choice":
        expected = str(context["expected"])
        params["expected"] = tuple(re.findall(r"'([^']*)'", expected)) or expected
    return path, one_of("settings.value", kind, **params)


def _unknown_key(key: str, known: Collection[str]) -> Message:
    similar = nearest_names(key, {each for each in known if each != key}, 1)
    return message("settings.similar_key", similar=similar[0]) if similar else message("settings.unknown_key")


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

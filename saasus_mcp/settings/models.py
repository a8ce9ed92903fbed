"""Tables of the configuration file as pydantic models, and what is wrong with a value in both languages.

Only who reads the file imports this: pydantic would take a third of the time in which a server on stdio starts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from saasus_mcp.common.messages import Message, Parameter, message, one_of
from saasus_mcp.common.text import nearest_names
from saasus_mcp.settings import addresses, values
from saasus_mcp.settings.paths import require_absolute
from saasus_mcp.settings.validation import InvalidValue

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

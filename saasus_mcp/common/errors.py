"""The base class of every error that saasus-mcp explains to the reader.

SaasusMcpError
 ├─ UnknownTool            catalog      no operation has this name
 ├─ InvalidArguments       common       a value is wrong; nothing was sent
 ├─ SendFailed             saasus       the request came back without an answer
 ├─ SettingsError          settings     a setting cannot be read
 ├─ PolicyError            permissions  a policy file has a fault
 ├─ StoreError             store        the store cannot be used
 └─ CallRefused            permissions  the call may not happen, or not yet

Any other exception is a defect of this program, and its text never reaches a client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Localized, Message, Parameter, join_sentences, message


class SaasusMcpError(Exception):
    """An error with a message for the reader and a hint how to fix it. Neither contains a secret."""

    def __init__(self, message: Message, hint: Message | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @classmethod
    def of(cls, id: str, /, **params: Parameter) -> Self:
        """Return the error with the message `id` and the hint `<id>_hint`, which has no parameters."""
        return cls(message(id, **params), message(f"{id}_hint"))

    def with_field(self, name: Callable[[str], Localized]) -> SaasusMcpError:
        """Return the error with another name of the field that it is about, if it is about one."""
        field = self.message.params.get("field")
        if not isinstance(field, str):
            return self
        return SaasusMcpError(Message(self.message.id, {**self.message.params, "field": name(field)}), self.hint)

    def text(self, language: Language) -> str:
        """Return message and hint in `language`."""
        return join_sentences([each.text(language) for each in (self.message, self.hint) if each is not None], language)

    def __str__(self) -> str:
        return self.text("en")

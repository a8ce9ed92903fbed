"""The languages of people who read messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, Language] = ("en", "ja")


@dataclass(frozen=True, slots=True)
class Text:
    """A text in both languages, for content that comes from a data file."""

    en: str
    ja: str

    def text(self, language: Language) -> str:
        return self.ja if language == "ja" else self.en

    def __str__(self) -> str:
        """Return the English text, as records and logs have it."""
        return self.en


def locale_language(environment: Mapping[str, str]) -> Language:
    """Return the language of a POSIX locale: LC_ALL, LC_MESSAGES or LANG, the first that is set and not empty."""
    locale = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := environment.get(name))), "")
    return "ja" if locale.lower().startswith("ja") else "en"

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


def locale_language(environment: Mapping[str, str], system: str = "") -> Language:
    """Return the language of a locale: LC_ALL, LC_MESSAGES or LANG, the first that is set and not empty, else the system's.

    Args:
        system: the name of the locale that Windows has in place of these variables, such as `Japanese_Japan.932`.
    """
    values = (*(environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG")), system)
    locale = next((value for value in values if value), "")
    return "ja" if locale.lower().startswith("ja") else "en"

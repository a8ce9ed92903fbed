"""The search of the site: an index for each language, words cut where Japanese ends one, and other words that people type for a page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

WORDS = Path(__file__).with_name("search_words.yaml")
BETWEEN_WORDS = r"[\s\-,:!=\[\]()\"`/]+|\.(?!\d)|&[lgq][to]\w*;"
"""Between English words. The dot of a number separates nothing."""
BETWEEN_JAPANESE_WORDS = (
    rf"{BETWEEN_WORDS}|[、。・「」『』（）：／〜…]+"  # noqa: RUF001 - Japanese punctuation
    "|(?<=[ァ-ヶー])(?=[^ァ-ヶー])|(?<=[^ァ-ヶー])(?=[ァ-ヶー])"
    "|(?<=[!-~])(?=[ぁ-ゖ一-鿿])|(?<=[ぁ-ゖ一-鿿])(?=[!-~])"
)
"""Also where katakana or Latin letters begin or end, so that 料金プラン is found as 料金 and プラン, in pages and in what people type."""
SECONDARY = ("attacks", "questions", "question-pictures", "commands", "versioning", "updating", "clients/tried")
"""Pages that mention everything. They come after the pages about it."""
SECONDARY_BOOST = 0.2
_BASE = re.compile(r'(<script id="__config" type="application/json">\{[^}]*?"base": ")([^"]+)"')


@dataclass(frozen=True, slots=True)
class Language:
    """How the pages of a language are searched. Their folder is below the one of the site."""

    name: str
    folder: str
    separator: str


ENGLISH = Language("en", "", BETWEEN_WORDS)
JAPANESE = Language("ja", "ja/", BETWEEN_JAPANESE_WORDS)


def boost(source: str) -> float:
    """Return the weight of a page in the results.

    Args:
        source: its file, from `docs/`.
    """
    return SECONDARY_BOOST if re.sub(r"(\.ja)?\.md$", "", source) in SECONDARY else 1.0


def with_own_index(url: str, output: str) -> str:
    """Return a page that searches the index of its language: a Japanese page has the Japanese folder as its base."""
    if not url.startswith(JAPANESE.folder):
        return output
    changed, count = _BASE.subn(lambda found: f'{found[1]}{_one_below(found[2])}"', output)
    if count != 1:
        raise ValueError("The theme keeps its base address elsewhere now. Change _BASE in scripts/site/search.py.")
    return changed


def write(site: Path) -> None:
    """Divide the index of a built site by language, unless that is done."""
    file = site / "search" / "search_index.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    words = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    japanese = [doc for doc in whole["docs"] if doc["location"].startswith(JAPANESE.folder)]
    if japanese:
        english = [doc for doc in whole["docs"] if doc not in japanese]
        for language, docs in ((ENGLISH, english), (JAPANESE, japanese)):
            there = site / language.folder / "search" / file.name
            there.parent.mkdir(parents=True, exist_ok=True)
            index = _index(whole["config"], docs, language, words[language.name])
            there.write_text(json.dumps(index, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def _index(
    config: Mapping[str, Any], docs: Iterable[Mapping[str, Any]], language: Language, words: Mapping[str, list[str]]
) -> dict[str, Any]:
    fields = {**config["fields"], "tags": {"boost": config["fields"]["title"]["boost"]}}
    found = []
    for doc in docs:
        location = doc["location"].removeprefix(language.folder)
        found.append({**doc, "location": location, **({"tags": words[location]} if location in words else {})})
    own = {**config, "lang": [language.name], "separator": language.separator, "fields": fields}
    return {"config": own, "docs": found}


def _one_below(base: str) -> str:
    """Return the path to a folder that is one step less far up."""
    return base.removesuffix("..").rstrip("/") or "."

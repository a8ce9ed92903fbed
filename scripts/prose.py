"""Check the prose of the project against a list of words that readers stumble over. Each entry says what to write instead."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXEMPT = frozenset(
    {
        "LICENSE",
        "scripts/prose.py",
        "tests/scripts/test_prose.py",
        "tool_specs/synonyms.yaml",
        "tool_specs/search_phrases.yaml",
    }
)
"""The license, the list itself and its test, and the words that people search by."""
SUFFIXES = frozenset({".py", ".md", ".yaml", ".yml", ".toml", ".html", ".j2", ".sh", ""})
WORDS = {
    r"anew": "again",
    r"(?<![\"'])mend(s|ed|ing)?": "fix; hint",
    r"(?<![\"'])deeds?": "action",
    r"who(m)?(so)?ever": "the person who; the caller",
    r"(there|where|here)(of|in|upon|to)": "name the thing",
    r"(is|are|was|were) (?-i:none)": "has no …; does not exist",
    r"no more(?! than)": "no longer; at most",
    r"(is|are|was|were|be|been) told": "reported; see",
    r"heed(s|ed|ing)?": "respect; check",
    r"in vain": "without effect",
    r"betwixt|ere|lest|aught|naught|nought|hither|thither|hence|amiss": "a modern word",
    r"ushers?": "name the component",
    r"in clear(?! text)": "in plain text",
    r"as ever": "as usual",
    r"a handful": "a few",
    r"brings? along": "depends on; contains",
    r"(is|are|was|were) left alone": "is not changed",
}
JAPANESE_WORDS = {
    "他の": "ほかの",
    "既に": "すでに",
    "暗号化キー": "暗号鍵",
    "運用者": "運用担当者",
    "デモ用データ": "デモデータ",
    "サインインID": "ログインID, as SaaSus does",
    "プロバイダ(?!ー)": "プロバイダー",
    "(?:サーバ|ユーザ|フォルダ|ブラウザ|コンピュータ)(?!ー)": "the word with its long vowel (ー)",
    "\uff5e": "〜 (U+301C)",
    "お試しください": "試してください",
    "することができ": "できます, or the possible form of the verb",
    "(?<=[ぁ-んァ-ヶー一-龠]) (?=[A-Za-z0-9{`])|(?<=[A-Za-z0-9}`]) (?=[ぁ-んァ-ヶー一-龠])": "no space",
}
"""Japanese that pages and messages write in one way. Quoted commands keep their spaces, and so do addresses, which end at one."""
_JAPANESE = re.compile("|".join(f"(?P<w{number}>{word})" for number, word in enumerate(JAPANESE_WORDS)))
_JAPANESE_ADVICE = tuple(JAPANESE_WORDS.values())
_QUOTED = re.compile(r"`[^`]*`|「saasus-mcp[^」]*」")
_ADDRESS = re.compile(r"(?:\{urls?\}|https?://[!-~]+) ?")
_PATTERN = re.compile(
    r"\b(?:" + "|".join(f"(?P<w{number}>{word})" for number, word in enumerate(WORDS)) + r")\b", re.IGNORECASE
)
_ADVICE = tuple(WORDS.values())
_NAME = re.compile(r"\b[A-Za-z]\w*_\w+")
_UNNAMED_SUBJECT = re.compile(r"\bdef test_(what|who(m|se)?)_")


def find_words(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, word and advice for every listed word of a text, also within names."""
    for number, line in enumerate(text.splitlines(), 1):
        names = (name.replace("_", " ") for name in _NAME.findall(line))
        for found in chain.from_iterable(map(_PATTERN.finditer, (line, *names))):
            yield number, found[0], _ADVICE[int((found.lastgroup or "w0")[1:])]
        if unnamed := _UNNAMED_SUBJECT.search(line):
            yield number, unnamed[1], "the subject: name what the test is about"


def find_japanese(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, text and advice for what Japanese pages and messages write differently, outside of code."""
    is_code = False
    for number, line in enumerate(text.splitlines(), 1):
        is_code ^= line.lstrip().startswith("```")
        plain = _ADDRESS.sub("、", _QUOTED.sub("`", line))
        is_english = line.lstrip().startswith("en:")
        for found in () if is_code or is_english else _JAPANESE.finditer(plain):
            yield (
                number,
                plain[max(found.start() - 6, 0) : found.end() + 6],
                _JAPANESE_ADVICE[int((found.lastgroup or "w0")[1:])],
            )


def _is_japanese(file: Path) -> bool:
    return file.name.endswith(".ja.md") or "tool_specs/messages/" in file.as_posix()


def _files() -> Iterator[Path]:
    command = ["git", "ls-files"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S603 - the command is constant
    for name in listed:
        file = ROOT / name
        if file.suffix in SUFFIXES and file.is_file() and name not in EXEMPT and "tests/evaluation/" not in name:
            yield file


def _find_faults(file: Path) -> Iterator[tuple[int, str, str]]:
    text = file.read_text(encoding="utf-8", errors="replace")
    yield from find_words(text)
    if _is_japanese(file):
        yield from find_japanese(text)


def main() -> None:
    faults = [
        f"{file.relative_to(ROOT)}:{number}: “{word}”: write {advice}"
        for file in _files()
        for number, word, advice in _find_faults(file)
    ]
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()

"""Every sample of TOML, YAML and JSON in the documents can be copied: it is read by a parser of its language."""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
PARSERS: Mapping[str, Callable[[str], Any]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}


def samples() -> Iterator[tuple[str, str, str]]:
    """Yield each sample with its page and language."""
    for page in PAGES:
        for number, (_, language, text) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8"))):
            if language in PARSERS:
                yield f"{page.relative_to(ROOT).as_posix()}-{number}", language, textwrap.dedent(text)


SAMPLES = tuple(samples())


@pytest.mark.parametrize(("language", "text"), [each[1:] for each in SAMPLES], ids=[each[0] for each in SAMPLES])
def test_a_sample_is_read_by_a_parser_of_its_language(language: str, text: str) -> None:
    assert PARSERS[language](text)


def test_the_pages_have_samples_of_every_language() -> None:
    assert {language for _, language, _ in SAMPLES} == set(PARSERS)

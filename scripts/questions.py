"""The questions of all operations that ask, as people read them in the sandbox: docs/questions.md, in both languages.

With --check it writes nothing and exits with 1 where the page is stale. With the key of an operation, and perhaps arguments
as JSON, it prints one question: `python -m scripts.questions auth.DeleteTenant '{"tenant_id": "…"}'`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import anyio

from saasus_mcp.catalog import Catalogue, Operation, load_catalogue
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader
from scripts.stage import ask
from scripts.story import FIRST, cases, values_for

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES: Mapping[Language, str] = {"en": "questions.md", "ja": "questions.ja.md"}
LEVELS = ("critical", "destructive", "write_sensitive", "write")
HEADS: Mapping[Language, str] = {
    "en": """# Questions

[日本語](questions.ja.md)

What a person is asked before a call, for every operation that changes something. Made in the sandbox by `scripts/questions.py`; its data is
Japanese. Operations of level `write` ask only where the policy says so, as the preset `strict` does.
""",
    "ja": """# 確認画面の文面

[English](questions.md)

人が確認するときに表示される文面の一覧です。データを変更するすべての操作について、`scripts/questions.py`がサンドボックスで生成しています。
`write`の操作は、プリセット`strict`などポリシーで指定した場合にだけ確認します。
""",
}


async def questions(catalogue: Catalogue, operation: Operation) -> list[Question]:
    """Return the questions of an operation in the story of the sandbox: one, or one for each of its meanings."""
    first = FIRST.get(operation.key)
    before = [(first[0], {**values_for(catalogue.find(first[0])), **first[1]})] if first else []
    return [await ask(catalogue, operation.key, values, *before) for values in cases(operation)]


async def pages(catalogue: Catalogue) -> dict[Language, str]:
    """Return the whole page in each language."""
    parts = {language: [head] for language, head in HEADS.items()}
    for level in LEVELS:
        for told in parts.values():
            told.append(f"## {level}\n")
        for operation in catalogue:
            if operation.level == level:
                asked = await questions(catalogue, operation)
                for language, told in parts.items():
                    told.extend(_section(operation, asked, language))
    return {language: "\n".join(told) for language, told in parts.items()}


def _section(operation: Operation, asked: list[Question], language: Language) -> Iterator[str]:
    yield f"### {operation.tool}\n"
    for question in asked:
        yield f"```text\n{render_dialog(question, Reader.of(language))}\n```\n"


async def main(*words: str) -> None:
    """Write the pages, check them, or print one question."""
    catalogue = load_catalogue()
    if words and words[0] != "--check":
        operation = catalogue.find(words[0])
        asked = (
            [await ask(catalogue, operation.key, json.loads(words[1]))]
            if len(words) > 1
            else await questions(catalogue, operation)
        )
        for language in PAGES:
            print("\n".join(_section(operation, asked, language)))
        return
    for language, text in (await pages(catalogue)).items():
        page = DOCS / PAGES[language]
        if not words:
            page.write_text(text, encoding="utf-8")
        elif not page.exists() or page.read_text(encoding="utf-8") != text:
            raise SystemExit(f"docs/{page.name} is stale: run `make generated` and review its difference")


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])

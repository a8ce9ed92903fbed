"""The questions of all operations that ask, as people read them in the sandbox: docs/questions.md.

With --check it writes nothing and exits with 1 where the page is stale. With the key of an operation, and perhaps arguments
as JSON, it prints one question: `python -m scripts.questions auth.DeleteTenant '{"tenant_id": "…"}'`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio

from saasus_mcp.catalog import Catalogue, Operation, load_catalogue
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader
from scripts.stage import ask
from scripts.story import FIRST, cases, values_for

PAGE = Path(__file__).resolve().parents[1] / "docs" / "questions.md"
LANGUAGES: tuple[Language, ...] = ("ja", "en")
LEVELS = ("critical", "destructive", "write_sensitive", "write")
HEAD = """# Questions

What a person is asked before a call, for every operation that changes something, in Japanese and English. Made in the sandbox by
`scripts/questions.py`. Operations of level `write` ask only where the policy says so, as the preset `strict` does.

人が確認するときに表示される質問の一覧です。データを変更するすべての操作について、日本語と英語で示しています。`write` の操作は、
プリセット `strict` などポリシーで指定した場合にだけ確認します。
"""


async def questions(catalogue: Catalogue, operation: Operation) -> list[Question]:
    """Return the questions of an operation in the story of the sandbox: one, or one for each of its meanings."""
    first = FIRST.get(operation.key)
    before = [(first[0], {**values_for(catalogue.find(first[0])), **first[1]})] if first else []
    return [await ask(catalogue, operation.key, values, *before) for values in cases(operation)]


async def page(catalogue: Catalogue) -> str:
    """Return the whole page."""
    parts = [HEAD]
    for level in LEVELS:
        parts.append(f"## {level}\n")
        for operation in catalogue:
            if operation.level == level:
                parts += list(_section(operation, await questions(catalogue, operation)))
    return "\n".join(parts)


def _section(operation: Operation, asked: list[Question]) -> Iterator[str]:
    yield f"### {operation.tool}\n"
    for question in asked:
        for language in LANGUAGES:
            yield f"```text\n{render_dialog(question, Reader.of(language))}\n```\n"


async def main(*words: str) -> None:
    """Write the page, check it, or print one question."""
    catalogue = load_catalogue()
    if words and words[0] != "--check":
        operation = catalogue.find(words[0])
        asked = (
            [await ask(catalogue, operation.key, json.loads(words[1]))]
            if len(words) > 1
            else await questions(catalogue, operation)
        )
        print("\n".join(_section(operation, asked)))
        return
    text = await page(catalogue)
    if not words:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        raise SystemExit(f"docs/{PAGE.name} is stale: run `make generated` and review its difference")


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])

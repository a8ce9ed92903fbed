"""The reference of all tools (docs/tools.md, docs/tools.ja.md) and the list of toolsets in both READMEs, from the catalogue.

With --check it writes nothing and exits with 1 where one of them is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from saasus_mcp.catalog import Catalogue, Operation, jobs, load_catalogue
from saasus_mcp.cli.tools import effect_texts
from saasus_mcp.common.json_path import Schema
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import one_of
from saasus_mcp.server.surface.toolsets import TOOLSETS

ROOT = Path(__file__).resolve().parents[1]
MIGRATING = "docs/migrating.md"
NAMES_BEGIN, NAMES_END = "<!-- names: made by scripts/reference.py -->\n", "<!-- end of names -->\n"
BEGIN, END = "<!-- toolsets: made by scripts/reference.py -->\n", "<!-- end of toolsets -->\n"
PAGES: Mapping[Language, str] = {"en": "docs/tools.md", "ja": "docs/tools.ja.md"}
JOBS: Mapping[Language, str] = {"en": "jobs.md", "ja": "jobs.ja.md"}
READMES: Mapping[Language, str] = {"en": "README.md", "ja": "README.ja.md"}
SHOWN = ("level", "reversibility", "email", "money", "outside")

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "head": "# Tools\n\nAll {count} operations, by toolset. Made from the catalogue by `scripts/reference.py`; [日本語](tools.ja.md). "
        "The same in a terminal, with schemas and what your policy decides: `saasus-mcp tools NAME`.\n\n"
        "What each level means, and what happens by default: [README](../README.md#permissions).\n",
        "table": "| toolset | what it is about | tools |\n| --- | --- | ---: |",
        "argument": "| argument | type | | what it is |\n| --- | --- | --- | --- |",
        "required": "required",
        "none": "No arguments.",
        "secret": "secret",
    },
    "ja": {
        "head": "# ツール一覧\n\n全{count}件の操作をツールセット別にまとめています。`scripts/reference.py` がカタログから生成しています。[English](tools.md)\n"
        "スキーマや、ポリシーによる判定は `saasus-mcp tools ツール名` で確認できます。引数の説明は英語版にあります。\n\n"
        "レベルの意味と既定の動作: [README](../README.ja.md#権限の仕組み)\n",
        "table": "| ツールセット | 内容 | ツール数 |\n| --- | --- | ---: |",
        "argument": "| 引数 | 型 | |\n| --- | --- | --- |",
        "required": "必須",
        "none": "引数はありません。",
        "secret": "秘密情報",
    },
}


def files(catalogue: Catalogue) -> Iterator[tuple[Path, str]]:
    """Every file that is made here, and what belongs into it."""
    for lang, name in PAGES.items():
        yield ROOT / name, "\n".join(_page(catalogue, lang)) + "\n"
    for lang, name in READMES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        table = "\n".join(_toolsets(catalogue, lang, f"{PAGES[lang]}#"))
        yield ROOT / name, f"{before}{BEGIN}{table}\n{END}{rest.partition(END)[2]}"
    text = (ROOT / MIGRATING).read_text(encoding="utf-8")
    before, _, rest = text.partition(NAMES_BEGIN)
    table = "\n".join(_official(catalogue))
    yield ROOT / MIGRATING, f"{before}{NAMES_BEGIN}{table}\n{NAMES_END}{rest.partition(NAMES_END)[2]}"


def _official(catalogue: Catalogue) -> Iterator[str]:
    """Yield the official server's names, which are operation ids in lower case, beside ours; one of its names may be two of ours."""
    yield "| there | here |\n| --- | --- |"
    ours: dict[str, list[str]] = {}
    for operation in catalogue:
        ours.setdefault(operation.operation_id.lower(), []).append(f"`{operation.tool}`")
    for name in sorted(ours):
        yield f"| `{name}` | {', '.join(ours[name])} |"


def _toolsets(catalogue: Catalogue, lang: Language, link: str) -> Iterator[str]:
    yield WORDS[lang]["table"]
    for name, about in TOOLSETS.items():
        count = (
            len(jobs.load_jobs())
            if name == jobs.JOBS_TOOLSET
            else sum(operation.toolset == name for operation in catalogue)
        )
        yield f"| [`{name}`]({link}{name}) | {about.text(lang)} | {count} |"


def _page(catalogue: Catalogue, lang: Language) -> Iterator[str]:
    yield WORDS[lang]["head"].format(count=len(catalogue))
    yield from _toolsets(catalogue, lang, "#")
    for name, about in TOOLSETS.items():
        yield f"\n## {name}\n\n{about.text(lang)}"
        if name == jobs.JOBS_TOOLSET:
            for job in jobs.load_jobs():
                yield from _job(job, lang)
        for operation in catalogue:
            if operation.toolset == name:
                yield from _tool(operation, lang)


def _job(job: jobs.JobSpec, lang: Language) -> Iterator[str]:
    yield f"\n### {job.name}\n\n**{job.title.text(lang)}** · [{JOBS[lang]}]({JOBS[lang]})\n"
    yield _prose(job.description.text(lang)) + "\n"
    yield from _arguments(job.input_schema, (), {}, lang)


def _tool(operation: Operation, lang: Language) -> Iterator[str]:
    yield f"\n### {operation.tool}\n\n**{operation.title.text(lang)}** · `{operation.method} {operation.path}`\n"
    said = effect_texts(operation, lang)
    yield " · ".join(f"{one_of('cli_tools.effect', name).text(lang)}: {said[name]}" for name in SHOWN if name in said)
    yield "\n" + _prose(operation.description.text(lang)) + "\n"
    yield from _arguments(operation.input_schema, operation.secret_inputs, operation.input_texts, lang)


def _arguments(taken: Schema, secret: Collection[str], texts: Mapping[str, str], lang: Language) -> Iterator[str]:
    """Yield the table of a tool's arguments."""
    properties = taken.get("properties", {})
    if not properties:
        yield WORDS[lang]["none"]
        return
    yield WORDS[lang]["argument"]
    for name, schema in properties.items():
        marks = [WORDS[lang]["required"]] if name in taken.get("required", ()) else []
        marks += [WORDS[lang]["secret"]] if name in secret else []
        cells = [f"`{name}`", _kind(schema), ", ".join(marks)]
        cells += [_cell(texts.get(name, schema.get("description", "")))] if lang == "en" else []
        yield "| " + " | ".join(cells) + " |"


def _kind(schema: Mapping[str, object]) -> str:
    branches = schema.get("anyOf")
    if isinstance(branches, list):
        return " / ".join(_kind(branch) for branch in branches)
    values = schema.get("enum")
    if isinstance(values, list):
        return " / ".join(f"`{value}`" for value in values)
    items = schema.get("items")
    return f"{_kind(items)}[]" if isinstance(items, dict) else str(schema.get("type", "any"))


def _prose(text: str) -> str:
    return text.replace("<", "&lt;")


def _cell(text: str) -> str:
    return _prose(" ".join(text.split())).replace("|", "\\|")


def main() -> None:
    for file, text in files(load_catalogue()):
        if "--check" not in sys.argv[1:]:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{file.relative_to(ROOT)} is stale: run `make generated` and review its difference")


if __name__ == "__main__":
    main()

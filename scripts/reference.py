"""The reference of all tools (docs/tools.md and a page for each toolset, in both languages) and the list of toolsets in both READMEs.

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
NAMES_BEGIN, NAMES_END = "<!-- names: made by scripts/reference.py -->\n", "<!-- end of names -->\n"
BEGIN, END = "<!-- toolsets: made by scripts/reference.py -->\n", "<!-- end of toolsets -->\n"
ENDS: Mapping[Language, str] = {"en": ".md", "ja": ".ja.md"}
OTHER: Mapping[Language, Language] = {"en": "ja", "ja": "en"}
SHOWN = ("level", "reversibility", "email", "money", "outside")

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "head": "# Tools\n\nAll {count} operations and {jobs} jobs, a page for each toolset. Made from the catalogue by `scripts/reference.py`; "
        "[日本語](tools.ja.md).\nThe same in a terminal, with schemas and what your policy decides: `saasus-mcp tools NAME`.\n\n"
        "What each level means, and what happens by default: [README](../README.md#permissions). Which tools a client is shown: "
        "[Surfaces and toolsets](toolsets.md).\n",
        "guide": "Bulk jobs",
        "page": "# Tools: {name}\n\n[日本語]({other})\n\n{about}. All toolsets: [Tools](../tools.md).",
        "names": "| there | here |\n| --- | --- |",
        "table": "| toolset | what it is about | tools |\n| --- | --- | ---: |",
        "argument": "| argument | type | | what it is |\n| --- | --- | --- | --- |",
        "required": "required",
        "none": "No arguments.",
        "secret": "secret",
    },
    "ja": {
        "head": "# ツール一覧\n\n全{count}件の操作と{jobs}件のジョブを、ツールセットごとのページにまとめています。"
        "`scripts/reference.py`がカタログから生成しています。[English](tools.md)\n"
        "スキーマや、ポリシーによる判定は`saasus-mcp tools ツール名`で確認できます。引数の説明は英語版にあります。\n\n"
        "レベルの意味と既定の動作: [README](../README.ja.md#権限の仕組み)。表示するツールの選び方: [公開範囲とツールセット](toolsets.ja.md)。\n",
        "guide": "一括処理(ジョブ)",
        "page": "# ツール: {name}\n\n[English]({other})\n\n{about}。ほかのツールセット: [ツール](../tools.ja.md)",
        "names": "| Node版 | このサーバー |\n| --- | --- |",
        "table": "| ツールセット | 内容 | ツール数 |\n| --- | --- | ---: |",
        "argument": "| 引数 | 型 | |\n| --- | --- | --- |",
        "required": "必須",
        "none": "引数はありません。",
        "secret": "シークレット",
    },
}


def files(catalogue: Catalogue) -> Iterator[tuple[Path, str]]:
    """Every file that is made here, and what belongs into it."""
    for lang, end in ENDS.items():
        yield ROOT / f"docs/tools{end}", "\n".join(_index(catalogue, lang)) + "\n"
        for name in TOOLSETS:
            yield ROOT / f"docs/tools/{name}{end}", "\n".join(_page(catalogue, lang, name)) + "\n"
        yield ROOT / f"README{end}", _renewed(f"README{end}", BEGIN, END, _toolsets(catalogue, lang, "docs/tools/"))
        names = _official(catalogue, lang)
        yield ROOT / f"docs/migrating{end}", _renewed(f"docs/migrating{end}", NAMES_BEGIN, NAMES_END, names)


def _renewed(page: str, begin: str, end: str, lines: Iterator[str]) -> str:
    """Return a page with what stands between two marks made again."""
    before, _, rest = (ROOT / page).read_text(encoding="utf-8").partition(begin)
    return before + begin + "\n".join(lines) + "\n" + end + rest.partition(end)[2]


def _official(catalogue: Catalogue, lang: Language) -> Iterator[str]:
    """Yield the official server's names, which are operation ids in lower case, beside ours; one of its names may be two of ours."""
    yield WORDS[lang]["names"]
    ours: dict[str, list[str]] = {}
    for operation in catalogue:
        ours.setdefault(operation.operation_id.lower(), []).append(f"`{operation.tool}`")
    for name in sorted(ours):
        yield f"| `{name}` | {', '.join(ours[name])} |"


def _toolsets(catalogue: Catalogue, lang: Language, folder: str) -> Iterator[str]:
    yield WORDS[lang]["table"]
    for name, about in TOOLSETS.items():
        count = (
            len(jobs.load_jobs())
            if name == jobs.JOBS_TOOLSET
            else sum(operation.toolset == name for operation in catalogue)
        )
        yield f"| [`{name}`]({folder}{name}{ENDS[lang]}) | {about.text(lang)} | {count} |"


def _index(catalogue: Catalogue, lang: Language) -> Iterator[str]:
    yield WORDS[lang]["head"].format(count=len(catalogue), jobs=len(jobs.load_jobs()))
    yield from _toolsets(catalogue, lang, "tools/")


def _page(catalogue: Catalogue, lang: Language, toolset: str) -> Iterator[str]:
    other = f"{toolset}{ENDS[OTHER[lang]]}"
    yield WORDS[lang]["page"].format(name=toolset, other=other, about=TOOLSETS[toolset].text(lang))
    if toolset == jobs.JOBS_TOOLSET:
        for job in jobs.load_jobs():
            yield from _job(job, lang)
    for operation in catalogue:
        if operation.toolset == toolset:
            yield from _tool(operation, lang)


def _job(job: jobs.JobSpec, lang: Language) -> Iterator[str]:
    guide = f"../jobs{ENDS[lang]}"
    yield f"\n## {job.name}\n\n**{job.title.text(lang)}** · [{WORDS[lang]['guide']}]({guide})\n"
    yield _prose(job.description.text(lang)) + "\n"
    yield from _arguments(job.input_schema, (), {}, lang)


def _tool(operation: Operation, lang: Language) -> Iterator[str]:
    yield f"\n## {operation.tool}\n\n**{operation.title.text(lang)}** · `{operation.method} {operation.path}`\n"
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
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{file.relative_to(ROOT)} is stale: run `make generated` and review its difference")


if __name__ == "__main__":
    main()

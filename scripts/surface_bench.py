"""What each surface and toolset costs a model, in o200k tokens of name, description and inputSchema; and docs/toolsets.md in both languages.

With --write the tables on these pages are written again.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import anyio
import bpe_openai

from saasus_mcp.catalog import Operation
from saasus_mcp.cli import composition
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.common.language import Language
from saasus_mcp.jobs import job_tools as jobs
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.tool_list import builtin_tool, operation_tool
from saasus_mcp.server.surface.tool_surface import ToolSurface
from saasus_mcp.server.surface.toolsets import TOOLSETS
from saasus_mcp.settings.environment import read_settings

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES: Mapping[Language, Path] = {"en": DOCS / "toolsets.md", "ja": DOCS / "toolsets.ja.md"}
HEADS: Mapping[Language, tuple[str, str, str]] = {
    "en": (
        "| surface | tools | tokens |",
        "| toolset | what it is about | tools | tokens |",
        "always | Tools beside the operations",
    ),
    "ja": (
        "| 公開範囲 | ツール数 | トークン数 |",
        "| ツールセット | 内容 | ツール数 | トークン数 |",
        "常に表示 | 操作以外のツール",
    ),
}
BUDGETS = {"full": 16_000, "compact": 1_000}
BEGIN, END = "<!-- made by scripts/surface_bench.py --write -->\n", "<!-- end -->\n"

_encoding = bpe_openai.get_encoding("o200k_base")


@dataclass(frozen=True, slots=True)
class Cost:
    """How many tools are listed, and their tokens."""

    tools: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Costs:
    """What everything costs.

    Attributes:
        surfaces: `full` and `compact`, whole.
        always: what is listed with any toolset.
        toolsets: the tools of each alone.
    """

    surfaces: dict[str, Cost]
    always: Cost
    toolsets: dict[str, Cost]


def tokens(tool: Operation | BuiltinTool) -> int:
    """Return the cost of one tool in the list."""
    listed = builtin_tool(tool, "en") if isinstance(tool, BuiltinTool) else operation_tool(tool, "en")
    schema = json.dumps(listed.input_schema, ensure_ascii=False, separators=(",", ":"))
    return sum(len(_encoding.encode(text)) for text in (listed.name, listed.description or "", schema))


def cost(tools: Iterable[Operation | BuiltinTool]) -> Cost:
    """Return the cost of several tools."""
    each = [tokens(tool) for tool in tools]
    return Cost(len(each), sum(each))


@cache
def measured() -> Costs:
    """Return the costs, from what a server in the sandbox would list."""
    return anyio.run(_measured)


async def _measured() -> Costs:
    with tempfile.TemporaryDirectory(prefix="saasus-mcp-bench-", ignore_cleanup_errors=True) as folder:
        settings = read_settings(sandbox=True, state_dir=Path(folder))
        async with (
            composition.open_pipeline(settings) as pipeline,
            composition.open_job_runners(settings, {"": pipeline}) as runners,
        ):
            who, runner = local_user(), runners[""]
            full = ToolSurface(pipeline, "en", extra_tools=jobs.build_job_tools(runner)).list_tools(who)
            compact = ToolSurface(
                pipeline, "en", "compact", extra_tools=jobs.build_job_tools(runner, "compact")
            ).list_tools(who)
    return Costs(
        {"full": cost(full), "compact": cost(compact)},
        cost(tool for tool in full if not tool.toolset),
        {name: cost(each for each in full if each.toolset == name) for name in TOOLSETS},
    )


def table(language: Language) -> str:
    """Return the numbers of docs/toolsets.md in a language."""
    costs = measured()
    surfaces, toolsets, always = HEADS[language]
    lines = [surfaces, "| --- | ---: | ---: |"]
    lines += [f"| `{name}` | {each.tools} | {each.tokens:,} |" for name, each in costs.surfaces.items()]
    lines += ["", toolsets, "| --- | --- | ---: | ---: |"]
    for name, each in costs.toolsets.items():
        lines.append(f"| `{name}` | {TOOLSETS[name].text(language)} | {each.tools} | {each.tokens:,} |")
    lines.append(f"| {always} | {costs.always.tools} | {costs.always.tokens:,} |")
    return "\n".join(lines) + "\n"


def renewed(page: str, language: Language) -> str:
    """Return the page with its tables as they are today."""
    head, _, rest = page.partition(BEGIN)
    return head + BEGIN + table(language) + END + rest.partition(END)[2]


def report() -> None:
    """Print the tokens of every surface and toolset."""
    costs = measured()
    for name, each in costs.surfaces.items():
        print(f"{name + ' surface:':<17}{each.tokens:>7,} tokens for {each.tools} tools (at most {BUDGETS[name]:,})")
    print(f"always listed:   {costs.always.tokens:>7,} tokens for {costs.always.tools} tools beside the operations")
    for name, each in costs.toolsets.items():
        print(f"  {name + ':':<15}{each.tokens:>7,} tokens for {each.tools} tools")


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        for language, page in PAGES.items():
            page.write_text(renewed(page.read_text(encoding="utf-8"), language), encoding="utf-8")
    report()

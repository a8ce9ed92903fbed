"""What the tool list costs a model, in o200k tokens: name, description and inputSchema of every tool."""

from __future__ import annotations

import json
from collections import Counter

import bpe_openai

from saasus_mcp.catalog import Operation, load

BUDGET = 18_000
DEAREST = 5

_encoding = bpe_openai.get_encoding("o200k_base")


def tokens(text: str) -> int:
    """The length of a text in o200k tokens."""
    return len(_encoding.encode(text))


def cost(operation: Operation) -> int:
    """What one tool costs in the list."""
    schema = json.dumps(operation.input_schema, ensure_ascii=False, separators=(",", ":"))
    return tokens(operation.tool) + tokens(operation.terse) + tokens(schema)


def main() -> None:
    catalogue = load()
    costs = {operation.tool: cost(operation) for operation in catalogue}
    toolsets: Counter[str] = Counter()
    for operation in catalogue:
        toolsets[operation.toolset] += costs[operation.tool]
    total = sum(costs.values())
    terse = sum(tokens(operation.terse) for operation in catalogue) / len(catalogue)
    print(f"full surface: {total:,} tokens for {len(catalogue)} tools (at most {BUDGET:,})")
    print(f"a description: {terse:.1f} tokens on average")
    print("by toolset:   " + ", ".join(f"{name} {count:,}" for name, count in toolsets.most_common()))
    dearest = sorted(costs, key=costs.__getitem__, reverse=True)[:DEAREST]
    print("dearest:      " + ", ".join(f"{name} {costs[name]}" for name in dearest))


if __name__ == "__main__":
    main()

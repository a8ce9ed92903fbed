"""Print the questions of calls in the sandbox: `python -m scripts.questions KEY ['{"json": "arguments"}'] [en|ja]`."""

from __future__ import annotations

import json
import sys

import anyio

from saasus_mcp.catalog import load
from saasus_mcp.catalog.model import Language
from saasus_mcp.permissions.question.dialog import dialog
from saasus_mcp.permissions.question.formatting import Reader
from scripts.stage import ask


async def main(key: str, arguments: str = "{}", *languages: Language) -> None:
    """Print one question in each language."""
    asked = await ask(load(), key, json.loads(arguments))
    for language in languages or ("ja", "en"):
        print(dialog(asked, Reader.of(language)), end="\n\n")


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])

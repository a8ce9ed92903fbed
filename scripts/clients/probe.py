"""What every probe starts with: `python -m scripts.clients.probes.NAME TASK REPORT`. Only the standard library, see task.py."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from scripts.clients.task import LEVELS, Call, Found, Task

READING_SECONDS = 3.0
"""How long the person of an attended call reads. An answer that comes at once is not a person's."""


def run(probe: Callable[[Task], Awaitable[Found]]) -> None:
    """Run a probe as a program: its task from the first argument, its report to the second."""
    task, report = map(Path, sys.argv[1:])
    asyncio.run(_report(probe, Task.read(task), report))


async def _report(probe: Callable[[Task], Awaitable[Found]], task: Task, report: Path) -> None:
    (await probe(task)).write(report)


async def each_level(
    calls: Mapping[str, Call], make: Callable[[Call], Awaitable[object]], levels: Iterable[str] = LEVELS
) -> dict[str, str]:
    """Return the text that comes back for each call. What a client raises is its answer, too."""
    answers = {}
    for level in levels:
        try:
            answers[level] = text_of(await make(calls[level]))
        except Exception as error:  # noqa: BLE001 - clients raise a failed call in classes of their own
            answers[level] = text_of(error)
    return answers


def text_of(answer: object) -> str:
    """Return the text that a client shows of an answer, errors within groups included."""
    if isinstance(answer, BaseExceptionGroup):
        return "\n".join(map(text_of, answer.exceptions))
    return f"{type(answer).__name__}: {answer}" if isinstance(answer, Exception) else str(answer)


def agreed(schema: Mapping[str, Any], typed: str) -> dict[str, Any]:
    """Return the form of a person who agrees: the target's name, or a yes."""
    return {name: typed if each.get("type") == "string" else True for name, each in schema["properties"].items()}


def fits(convert: Callable[[Any], object], tools: Iterable[Any]) -> int:
    """How many tools a conversion takes. What it does not take is printed."""
    count = 0
    for tool in tools:
        try:
            convert(tool)
        except Exception as error:  # noqa: BLE001 - as above
            print(f"{getattr(tool, 'name', tool)}: {text_of(error)}", file=sys.stderr)
        else:
            count += 1
    return count

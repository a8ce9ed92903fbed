"""`saasus-mcp demo`: a real client works through a real server, and is stopped where a person must decide."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.cli.demo_wording import WORDS
from saasus_mcp.cli.install.server_command import installed_command
from saasus_mcp.cli.options import language_option, load_settings
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language

if TYPE_CHECKING:
    from saasus_mcp.cli.sandbox.demo_presenter import DemoPresenter

MODERN, LEGACY = "2026-07-28", "legacy"
ANSWER_TIMEOUT = 30


@click.command
@language_option
def command(**flags: Any) -> None:
    """Watch an assistant work in the sandbox and be stopped when a person must decide. Takes a few seconds."""
    lang = load_settings(**flags).lang
    words = WORDS[lang]
    click.echo(f"{click.style(words['title'], bold=True)}\n\n{words['lead']}")
    _heading(words["act"].format(era=MODERN))
    # On Windows a database may be held open for a moment after its process has ended.
    with tempfile.TemporaryDirectory(prefix="saasus-mcp-demo-", ignore_cleanup_errors=True) as folder:
        told, broken = anyio.run(_both, Path(folder), lang)
    if MODERN not in broken:
        _heading(words["again"].format(era=LEGACY))
        click.echo("\n".join(told))
    for otherwise in broken.values():
        raise SaasusMcpError(otherwise, words["broken_mend"])
    click.echo(f"\n{words['end']}")


def _heading(text: str) -> None:
    click.echo(click.style(f"\n=== {text} ===", bold=True))


async def _both(state: Path, lang: Language) -> tuple[list[str], dict[str, str]]:
    """The story in both protocol eras at once: the first told as it goes, the second in short once it is over.

    Returns what is told of the second, and by era how it went otherwise, where it did.
    """
    from saasus_mcp.cli.sandbox.demo_presenter import DemoPresenter  # noqa: PLC0415 - as above

    told: list[str] = []
    broken: dict[str, str] = {}
    async with anyio.create_task_group() as acts:
        for era, stage in ((MODERN, DemoPresenter(lang)), (LEGACY, DemoPresenter(lang, told))):
            acts.start_soon(_act, era, stage, state / era, lang, broken)
    return told, broken


async def _act(era: str, stage: DemoPresenter, state: Path, lang: Language, broken: dict[str, str]) -> None:
    """The story in one era, with a server and a state folder of its own. What went otherwise goes into `broken`."""
    from mcp import Client, StdioServerParameters  # noqa: PLC0415 - as above

    from saasus_mcp.cli.sandbox.demo_presenter import DemoPerson  # noqa: PLC0415 - imports the SDK, the slowest import there is
    from saasus_mcp.cli.sandbox.demo_script import DemoFailed, DemoScript  # noqa: PLC0415 - as above

    person = DemoPerson(stage)
    command, *args = installed_command()
    server = StdioServerParameters(
        command=command,
        args=[*args, "serve", "--sandbox", "--lang", lang],
        env={"SAASUS_MCP_STATE_DIR": str(state)},
    )
    what = stage.words["not_started"]
    try:
        async with Client(
            server, mode=era, elicitation_callback=person.answer, read_timeout_seconds=ANSWER_TIMEOUT
        ) as client:
            try:
                await DemoScript(client, person, stage, state, lang).run(len(load_catalogue()))
            except (DemoFailed, SaasusMcpError) as error:
                what = str(error)
            else:
                what = ""
    except Exception as error:  # noqa: BLE001 - the SDK wraps what happens to a connection in groups of its own
        what = f"{what} ({type(error).__name__})"
    if what:
        broken[era] = stage.words["broken"].format(step=stage.step or era, what=what)

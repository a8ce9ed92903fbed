"""Help and errors of the command line, in both languages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from saasus_mcp.cli import COMMANDS, commands
from saasus_mcp.cli.terminal import choose_language, reader_language
from saasus_mcp.common.text import display_width
from tests.support.commands import run_command


def every_command() -> Iterator[tuple[str, ...]]:
    """Yield the words of every command and of every command in a group."""
    for name in COMMANDS:
        yield (name,)
        command = commands.get_command(click.Context(commands), name)
        if isinstance(command, click.Group):
            yield from ((name, each) for each in command.list_commands(click.Context(command)))


@pytest.mark.parametrize("words", list(every_command()), ids=" ".join)
def test_every_command_has_help_in_both_languages(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for language, heading in (("en", "Usage:"), ("ja", "使い方:")):
        monkeypatch.setenv("SAASUS_MCP_LANG", language)
        ran = run_command(*words, "--help")
        assert ran.status == 0
        assert ran.out.startswith(heading)
        assert "cli_" not in ran.out
        assert all(display_width(line) <= 80 for line in ran.out.splitlines())


@pytest.mark.parametrize("words", [(), *every_command()], ids=" ".join)
def test_the_language_may_come_before_every_command(words: tuple[str, ...]) -> None:
    for at in range(max(len(words), 1)):
        for flag in (("--lang", "ja"), ("--lang=ja",)):
            ran = run_command(*words[:at], *flag, *words[at:], "--help")
            assert ran.out.startswith(" ".join(("使い方: commands", *words, "[")))


@pytest.mark.parametrize(
    ("args", "english", "japanese"),
    [
        (("tools", "--no-such"), "No such option --no-such.", "「--no-such」というオプションはありません。"),
        (("nonsense",), "No such command nonsense.", "「nonsense」というコマンドはありません。"),
        (("audti",), "No such command audti. Did you mean audit?", "近い名前: audit"),
        (("audit", "serach"), "No such command serach. Did you mean search?", "近い名前: search"),
        (("reject",), "Missing argument CODE.", "引数「CODE」を指定してください。"),
        (("tools", "--level", "x"), '"x" is not one of read,', "「x」は指定できません。指定できる値: read、"),
        (("undo", "--limit", "0"), "0 is out of range. Allowed: at least 1.", "「0」は範囲外です。"),
        (("undo", "--limit", "x"), '"x" is not an integer.', "「x」は整数ではありません。"),
        (("reject", "A", "B"), "Unexpected arguments: B.", "余分な引数があります: B"),
        (
            ("--sandbox", "tools"),
            "Write the command tools before its options.",
            "コマンド「tools」は、オプションより前",
        ),
        (("call", "x", "{a:", "1}"), "Quote JSON for your shell", "シェルの引用符で囲んでください"),
        (("undo", "--limit"), "undo [OPTIONS] [ID]", "undo [OPTIONS] [ID]"),
        (("undo", "--limit"), "Option --limit requires a value.", "オプション「--limit」には値が必要です。"),
        (("undo", "--list=1"), "Option --list does not take a value.", "オプション「--list」には値を指定できません。"),
        (("audit", "verify", "--heads", "/nonsense"), "/nonsense does not exist.", "「/nonsense」がありません。"),
        (("call", "x", "{"), "The arguments are not valid JSON", "引数がJSONとして読めません"),
    ],
)
def test_a_mistake_is_reported_in_the_language_of_the_locale(
    args: tuple[str, ...], english: str, japanese: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert english in run_command(*args).err
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    ran = run_command(*args)
    assert ran.status != 0
    assert japanese in ran.err


def test_the_variable_beats_the_locale_and_the_flag_beats_both(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "SAASUS_MCP_LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    choose_language([])
    assert reader_language() == "ja"
    monkeypatch.setenv("SAASUS_MCP_LANG", "en")
    choose_language([])
    assert reader_language() == "en"
    choose_language(["approvals", "--lang", "ja"])
    assert reader_language() == "ja"
    choose_language(["approvals", "--lang=en"])
    assert reader_language() == "en"


def test_the_settings_of_a_terminal_command_have_the_language_of_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(os.environ["SAASUS_MCP_CONFIG"]).write_text("version = 1\n", encoding="utf-8")
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    assert "言語: ja" in run_command("doctor", "--sandbox").out
    assert "SAASUS_MCP_LANG" not in os.environ

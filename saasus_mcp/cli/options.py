"""Flags that several commands share, each with its environment variable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.catalog.catalogue import MAX_SHOWN_NAME
from saasus_mcp.cli.tools_wording import WORDS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING, Narrowing
from saasus_mcp.server.surface.toolsets import TOOLSETS
from saasus_mcp.settings import Settings, read_settings

Command = TypeVar("Command", bound=Callable[..., Any])

language_option = click.option(
    "--lang", type=click.Choice(["en", "ja"]), help="Language of messages for people. [SAASUS_MCP_LANG]"
)
time_zone_option = click.option(
    "--time-zone",
    metavar="NAME",
    help="Time zone of what people read, such as Asia/Tokyo; by default Japan's for ja, UTC for en. [SAASUS_MCP_TIME_ZONE]",
)

_SHARED = (
    click.option(
        "--sandbox", is_flag=True, default=None, help="Use the emulated API; needs no account. [SAASUS_MCP_SANDBOX]"
    ),
    click.option(
        "--mode",
        type=click.Choice(["read-only", "guarded", "strict"]),
        help="Policy preset; guarded by default. [SAASUS_MCP_MODE]",
    ),
    click.option(
        "--policy", type=click.Path(path_type=Path, resolve_path=True), help="Policy file. [SAASUS_MCP_POLICY]"
    ),
    language_option,
    time_zone_option,
    click.option(
        "--profile",
        help="Profile in config.toml, or a name for the credentials in the environment. [SAASUS_MCP_PROFILE]",
    ),
)


surface_option = click.option(
    "--surface",
    type=click.Choice(["full", "compact"]),
    envvar="SAASUS_MCP_SURFACE",
    default="full",
    help="full lists every tool; compact lists a few tools that find and run the others. [SAASUS_MCP_SURFACE]",
)
toolsets_option = click.option(
    "--toolsets",
    envvar="SAASUS_MCP_TOOLSETS",
    default="",
    metavar="NAME,NAME",
    help="List only the tools of these toolsets; with compact, add them. [SAASUS_MCP_TOOLSETS]",
)
tools_option = click.option(
    "--tools",
    envvar="SAASUS_MCP_TOOLS",
    metavar="NAME,NAME",
    help="List and allow only these tools (names or globs such as auth_get_*). [SAASUS_MCP_TOOLS]",
)
exclude_tools_option = click.option(
    "--exclude-tools",
    envvar="SAASUS_MCP_EXCLUDE_TOOLS",
    metavar="NAME,NAME",
    help="Neither list nor allow these tools (names or globs). [SAASUS_MCP_EXCLUDE_TOOLS]",
)
client_surface_option = click.option(
    "--surface", type=click.Choice(["full", "compact"]), help="Tools to list; by default, what the client supports."
)
client_toolsets_option = click.option(
    "--toolsets", metavar="NAME,NAME", help="List only the tools of these toolsets; with compact, add them."
)


def shared_options(command: Command) -> Command:
    """Give a command the flags that say where and under which policy it works."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def parse_toolset_names(text: str, lang: Language) -> frozenset[str]:
    """The toolsets that a list with commas names.

    Raises:
        SaasusMcpError: there is no such toolset; the nearest, and those there are.
    """
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    for unknown in sorted(names - TOOLSETS.keys()):
        from difflib import get_close_matches  # noqa: PLC0415 - only on a mistake

        words, shown = WORDS[lang], unknown[:MAX_SHOWN_NAME]
        near = get_close_matches(shown.casefold().replace("-", "_"), TOOLSETS)
        nearest = words["nearest_toolsets"].format(names=", ".join(near)) if near else ""
        raise SaasusMcpError(
            words["unknown_toolset"].format(name=shown) + nearest,
            words["toolsets"].format(names=", ".join(sorted(TOOLSETS))),
        )
    return names


def parse_narrowing(tools: str | None, exclude_tools: str | None) -> Narrowing:
    """Return the narrowing that the options ask for.

    Raises:
        NarrowingError: one of them is empty, or names no tool.
    """
    if tools is None and exclude_tools is None:
        return NO_NARROWING
    from saasus_mcp.server.surface.narrowing import ToolNames  # noqa: PLC0415 - only where something is narrowed

    names = ToolNames(load_catalogue())
    return Narrowing(
        tools=None if tools is None else names.resolve(tools, "--tools (SAASUS_MCP_TOOLS)"),
        exclude=frozenset()
        if exclude_tools is None
        else names.resolve(exclude_tools, "--exclude-tools (SAASUS_MCP_EXCLUDE_TOOLS)"),
    )


def load_settings(**flags: Any) -> Settings:
    """The settings from a command's flags and the environment (see saasus_mcp.settings)."""
    return read_settings(**flags)

"""Options that several commands share, each with its environment variable."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from saasus_mcp import catalog
from saasus_mcp.cli.command_line import option
from saasus_mcp.cli.terminal import reader_language, use_output_for_json
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import MAX_SHOWN_NAME, nearest_names, visible_text
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING, Narrowing
from saasus_mcp.server.surface.toolsets import TOOLSETS, SurfaceKind
from saasus_mcp.settings.environment import PROFILE_NAME, Mode, Settings, read_settings

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_setting = partial(option, sets_setting=True)
_SETTINGS: dict[str, Callable[[Any], Any]] = {
    "sandbox": _setting("--sandbox", is_flag=True, default=None, help="cli_help.option.sandbox"),
    "mode": _setting("--mode", type=click.Choice(get_args(Mode)), help="cli_help.option.mode"),
    "policy": _setting(
        "--policy", metavar="FILE", type=click.Path(path_type=Path, resolve_path=True), help="cli_help.option.policy"
    ),
    "lang": _setting("--lang", type=click.Choice(["en", "ja"]), help="cli_help.option.language"),
    "time_zone": _setting("--time-zone", metavar="NAME", help="cli_help.option.time_zone"),
    "profile": _setting("--profile", metavar="NAME", help="cli_help.option.profile"),
    "transport": _setting("--transport", type=click.Choice(["stdio", "http"]), help="cli_help.option.transport"),
    "host": _setting("--host", metavar="ADDRESS", help="cli_help.option.host"),
    "port": _setting("--port", type=int, metavar="NUMBER", help="cli_help.option.port"),
    "workers": _setting("--workers", type=int, metavar="NUMBER", help="cli_help.option.workers"),
    "public_url": _setting("--public-url", metavar="URL", help="cli_help.option.public_url"),
}
"""The options that set a setting, by its name."""
CALL_SETTINGS = ("sandbox", "mode", "policy", "lang", "time_zone", "profile")
"""Where a call goes, and under which policy."""

_DURATION = re.compile(r"(\d{1,6})([mhd])")
_UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86400}


def make_json_option(help_id: str) -> Callable[[Decorated], Decorated]:
    """Return a `--json` option whose help is this message. `prints_json` tells a command whether it was given."""

    def choose(_ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - called by click
        use_output_for_json(wanted)

    return option("--json", is_flag=True, callback=choose, expose_value=False, help=help_id)


json_option = make_json_option("cli_help.option.json_object")
json_array_option = make_json_option("cli_help.option.json_array")
json_failure_option = make_json_option("cli_help.option.json_failure")
"""For commands whose answer is JSON anyway."""
json_outcome_option = make_json_option("cli_help.option.json_outcome")
"""For commands that end with `print_outcome`. A person still reads and answers questions, on standard error."""
surface_option = option(
    "--surface",
    type=click.Choice(["full", "compact"]),
    envvar="SAASUS_MCP_SURFACE",
    default="full",
    help="cli_help.option.surface",
)
toolsets_option = option(
    "--toolsets", envvar="SAASUS_MCP_TOOLSETS", default="", metavar="NAME,NAME", help="cli_help.option.toolsets"
)
tools_option = option("--tools", envvar="SAASUS_MCP_TOOLS", metavar="NAME,NAME", help="cli_help.option.tools")
exclude_tools_option = option(
    "--exclude-tools", envvar="SAASUS_MCP_EXCLUDE_TOOLS", metavar="NAME,NAME", help="cli_help.option.exclude_tools"
)
client_surface_option = option(
    "--surface", type=click.Choice(["full", "compact"]), help="cli_help.option.client_surface"
)
client_toolsets_option = option("--toolsets", metavar="NAME,NAME", help="cli_help.option.client_toolsets")


def settings_options(*names: str, locale: bool = True) -> Callable[[Decorated], Decorated]:
    """Add the options of these settings to a command, and call it with the settings as its first argument.

    Args:
        names: of settings; those of CALL_SETTINGS by default.
        locale: False if the locale of the terminal does not choose the language.
    """
    wanted = names or CALL_SETTINGS

    def decorate(command: Decorated) -> Decorated:
        @wraps(command)
        def run(**given: Any) -> Any:
            flags = {name: given.pop(name) for name in wanted}
            return command(load_settings(locale=locale, **flags), **given)

        decorated: Any = setting_flags(*wanted)(run)
        return decorated  # type: ignore[no-any-return]

    return decorate


def setting_flags(*names: str) -> Callable[[Decorated], Decorated]:
    """Add the options of these settings to a command, which gets their values."""

    def decorate(command: Decorated) -> Decorated:
        for name in reversed(names):
            command = _SETTINGS[name](command)
        return command

    return decorate


def load_settings(*, locale: bool = True, **flags: Any) -> Settings:
    """Return the settings of a command's options, the environment, and for the language the locale.

    Raises:
        SettingsError: a value is not valid.
    """
    if locale and flags.get("lang") is None and not os.environ.get("SAASUS_MCP_LANG"):
        flags["lang"] = reader_language()
    return read_settings(**flags)


@dataclass(frozen=True, slots=True)
class SurfaceOptions:
    """The tools that a server lists and allows."""

    kind: SurfaceKind
    toolsets: frozenset[str]
    narrowing: Narrowing = NO_NARROWING


def parse_toolset_names(text: str) -> frozenset[str]:
    """Return the toolsets of a list with commas.

    Raises:
        SaasusMcpError: a toolset does not exist; the error names the nearest ones.
    """
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    for unknown in sorted(names - TOOLSETS.keys()):
        shown = unknown[:MAX_SHOWN_NAME]
        nearest = nearest_names(shown.casefold().replace("-", "_"), TOOLSETS)
        raise SaasusMcpError(
            message("cli.unknown_toolset_nearest", name=shown, nearest=nearest)
            if nearest
            else message("cli.unknown_toolset", name=shown),
            message("cli.toolsets", names=tuple(sorted(TOOLSETS))),
        )
    return names


def parse_narrowing(tools: str | None, exclude_tools: str | None) -> Narrowing:
    """Return the narrowing of --tools and --exclude-tools. Raise NarrowingError if one of them is empty, or names no tool."""
    if tools is None and exclude_tools is None:
        return NO_NARROWING
    from saasus_mcp.server.surface.narrowing import ToolNames  # noqa: PLC0415 - only if tools are narrowed

    names = ToolNames(catalog.load_catalogue())
    return Narrowing(
        tools=None if tools is None else names.resolve(tools, "--tools (SAASUS_MCP_TOOLS)"),
        exclude=frozenset()
        if exclude_tools is None
        else names.resolve(exclude_tools, "--exclude-tools (SAASUS_MCP_EXCLUDE_TOOLS)"),
    )


def require_profile_name(name: str) -> None:
    """Raise SaasusMcpError if no profile can have this name."""
    if re.fullmatch(PROFILE_NAME, name) is None:
        raise SaasusMcpError.of("cli.invalid_profile", name=visible_text(name))


def parse_since(text: str, zone: tzinfo, option: str = "--since") -> float:
    """Return the epoch seconds of a duration before now (`30m`, `12h`, `7d`), a date, or a time.

    Args:
        zone: of dates and times that name no zone.
        option: the option to name in an error.

    Raises:
        SaasusMcpError: it is something else.
    """
    text = text.strip()
    duration = _DURATION.fullmatch(text)
    if duration:
        return time.time() - int(duration[1]) * _UNIT_SECONDS[duration[2]]
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        shown = visible_text(text[:MAX_SHOWN_NAME])
        raise SaasusMcpError.of("cli.invalid_since", option=option, value=shown) from None


def parse_until(text: str, zone: tzinfo) -> float:
    """Return the epoch seconds of a duration from now (`30m`, `12h`, `7d`), a date, or a time.

    Args:
        zone: of dates and times that name no zone.

    Raises:
        SaasusMcpError: it is something else, or it is past.
    """
    now = time.time()
    past = parse_since(text, zone, "--until")
    until = 2 * now - past if _DURATION.fullmatch(text.strip()) else past
    if until <= now:
        raise SaasusMcpError.of("cli.until_is_past", value=visible_text(text[:MAX_SHOWN_NAME]))
    return until

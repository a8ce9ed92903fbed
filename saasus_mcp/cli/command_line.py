"""Commands and options of click whose help and errors are in the reader's language. A `help` is the id of a message."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import IO, Any

import click
from click.shell_completion import CompletionItem

from saasus_mcp.cli.terminal import render, say, warn
from saasus_mcp.cli.text_layout import MAX_COLUMNS, MIN_COLUMNS, wrap_text
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import nearest_names

INTERRUPTED = 130
"""The exit status after Ctrl+C, as shells report it."""

_COLUMN_GAP = MARGIN = 2
_METAVARS = {"PATH": "FILE", **dict.fromkeys(("INTEGER", "INTEGER RANGE", "FLOAT", "FLOAT RANGE"), "NUMBER")}


class UsageError(click.UsageError):
    """A mistake on the command line, in the reader's language."""

    def __init__(self, text: Message, ctx: click.Context | None) -> None:
        super().__init__(str(text), ctx)
        self.text = text

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the error, the usage, and the way to the help to standard error."""
        warn(self.text)
        if self.ctx is not None:
            say(f"\n{self.ctx.get_usage()}", err=True)
            say(message("cli_usage.try_help", command=self.ctx.command_path), err=True)


class _HelpFormatter(click.HelpFormatter):
    """A formatter that breaks lines by the width of letters, so that Japanese text is broken too."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        columns = max(MIN_COLUMNS, shutil.get_terminal_size().columns)  # click has at least 50
        room = min(columns, max_width or MAX_COLUMNS)
        super().__init__(indent_increment, width or room - MARGIN, max_width)

    def write_text(self, text: str) -> None:
        paragraphs = (wrap_text(each, self.width, " " * self.current_indent) for each in text.split("\n\n"))
        self.write("\n\n".join("\n".join(lines) for lines in paragraphs) + "\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = _COLUMN_GAP) -> None:
        rows = list(rows)
        longest = min(col_max, self.width // 3)  # a longer term has a line of its own
        column = min(max(len(term) for term, _ in rows), longest) + col_spacing
        indent = " " * self.current_indent
        for term, text in rows:
            fits = len(term) <= column - col_spacing
            begin = indent + (term.ljust(column) if fits else " " * column)
            lines = ([] if fits else [indent + term]) + list(wrap_text(text, self.width, begin))
            self.write("".join(f"{line.rstrip()}\n" for line in lines))


class _CommandContext(click.Context):
    formatter_class = _HelpFormatter


class _LocalizedHelp(click.Command):
    context_class = _CommandContext

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. A mistake knows its command, whose usage is shown."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        usage = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, usage, f"{render(message('cli_usage.usage'))} ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(self.help_text())

    def help_text(self) -> str:
        """Return the help, which may have several paragraphs."""
        return render(message(self.help or ""))

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first sentence of the help."""
        text = self.help_text().partition("\n")[0]
        for end in (". ", "。"):
            text = text.partition(end)[0] + (end.strip() if end in text else "")
        return text

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = [each for each in self.get_params(ctx) if not isinstance(each, click.Argument)]
        for title, shared in ((message("cli_usage.options"), False), (message("cli_usage.settings"), True)):
            listed = (each for each in options if getattr(each, "sets_setting", False) is shared)
            records = [record for each in listed if (record := each.get_help_record(ctx))]
            if records:
                with formatter.section(render(title)):
                    formatter.write_dl(records)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what a shell offers, with the help of options in the reader's language."""
        helps = {name: each.help for each in self.params if isinstance(each, Option) for name in each.opts}
        items = super().shell_complete(ctx, incomplete)
        for item in items:
            if helps.get(item.value):
                item.help = render(message(helps[item.value] or ""))
        return items

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = render(message("cli_usage.show_help"))
        return option


class Command(_LocalizedHelp):
    """A command whose help is a message."""

    allow_extra_args = True  # they are refused below, in the reader's language

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and refuse those that the command does not take."""
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise UsageError(_unexpected_arguments(rest, ctx), ctx)
        return rest


def split_language(args: list[str]) -> tuple[list[str], list[str]]:
    """Return `--lang` with its value, if the arguments begin with it, and the others: people write it before a command, too."""
    words = 1 if args and args[0].startswith("--lang=") else 2 if args and args[0] == "--lang" else 0
    return args[:words], args[words:]


class Group(_LocalizedHelp, click.Group):
    """A group of commands whose help is a message."""

    command_class = Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        flag, rest = split_language(args)
        if rest and rest[0] in self.list_commands(ctx):
            # Without a command, the flag has already chosen the language of the help.
            rest = [rest[0], *flag, *rest[1:]]
        return super().parse_args(ctx, rest)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section(render(message("cli_usage.commands"))):
            formatter.write_dl([(name, each.get_short_help_str()) for name, each in names.items() if each])


class _LocalizedValue(click.Parameter):
    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the value in its type, or refuse it in the reader's language."""
        try:
            return super().type_cast_value(ctx, value)
        except click.BadParameter as error:
            reason = _invalid_value(self.type, value) or error.message
            raise UsageError(message("cli_usage.invalid_value", name=_name(self, ctx), reason=reason), ctx) from None


class Option(_LocalizedValue, click.Option):
    """An option whose help is a message.

    Args:
        sets_setting: True for a setting that many commands have. The help lists these last.
    """

    def __init__(self, *names: Any, sets_setting: bool = False, **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.sets_setting = sets_setting

    def make_metavar(self, ctx: click.Context) -> str:
        """Return the placeholder of the value, without click's names of types."""
        shown = super().make_metavar(ctx)
        return _METAVARS.get(shown, shown)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the names and the help with what applies to the value: default, range, whether it is required."""
        record = super().get_help_record(ctx)
        if record is None:
            return None
        extra = self.get_help_extra(ctx)
        notes = [
            *([render(message("cli_usage.default", value=extra["default"]))] if "default" in extra else []),
            *([render(bounds)] if (bounds := _range_text(self.type)) else []),
            *([render(message("cli_usage.required"))] if "required" in extra else []),
        ]
        text = render(message(self.help or ""))
        return record[0], f"{text}  [{'; '.join(notes)}]" if notes else text


class Argument(_LocalizedValue, click.Argument):
    """An argument whose errors are messages."""


command = partial(click.command, cls=Command)
option = partial(click.option, cls=Option)
argument = partial(click.argument, cls=Argument)


@contextmanager
def localized_errors() -> Iterator[None]:
    """Turn click's own errors into errors in the reader's language.

    Raises:
        UsageError: for a mistake on the command line.
        click.exceptions.Exit: with status 130 for Ctrl+C, and 1 for Ctrl+D in answer to a question, once that is said.
    """
    try:
        yield
    except (UsageError, click.exceptions.NoArgsIsHelpError):
        raise
    except click.UsageError as error:
        text = _usage_error(error)
        if text is None:
            raise
        raise UsageError(text, error.ctx) from None
    except (click.Abort, EOFError, KeyboardInterrupt) as error:
        if not isinstance(error, click.Abort):
            click.echo(err=True)  # ends the line with ^C
        say(message("cli_usage.aborted"), err=True)
        raise click.exceptions.Exit(INTERRUPTED if was_interrupted(error) else 1) from None


def was_interrupted(error: BaseException) -> bool:
    """Return True for Ctrl+C, also in answer to a question of click, which hides it behind `Abort`."""
    return isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt)


def _usage_error(error: click.UsageError) -> Message | None:
    if isinstance(error, click.NoSuchOption):
        return _with_nearest(message("cli_usage.no_such_option", name=error.option_name), error.possibilities)
    if isinstance(error, click.NoSuchCommand):
        group = error.ctx.command if error.ctx else None
        known = group.list_commands(error.ctx) if isinstance(group, click.Group) and error.ctx else ()
        names = nearest_names(error.command_name, known)
        return _with_nearest(message("cli_usage.no_such_command", name=error.command_name), names)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        name = _name(error.param, error.ctx)
        if isinstance(error.param, click.Argument):
            return message("cli_usage.missing_argument", name=name)
        return message("cli_usage.missing_option", name=name)
    if isinstance(error, click.BadOptionUsage):
        flag = "does not take" in error.message
        return message(
            "cli_usage.option_with_value" if flag else "cli_usage.option_without_value", name=error.option_name
        )
    return None


def _unexpected_arguments(names: Sequence[str], ctx: click.Context) -> Message:
    """Return why these are refused: a command after options, which start `serve`; JSON without quotes; or anything else."""
    root = ctx.find_root().command
    if ctx.info_name == "serve" and isinstance(root, click.Group) and names[0] in root.list_commands(ctx):
        return message("cli_usage.command_after_options", name=names[0])
    unquoted = any(letter in name for name in names for letter in "{}")
    return message("cli_usage.unquoted_json" if unquoted else "cli_usage.unexpected_arguments", names=" ".join(names))


def _name(param: click.Parameter, ctx: click.Context | None) -> str:
    """Return the name of an argument or an option as the usage has it."""
    return param.get_error_hint(ctx).replace("'", "").strip("[]")


def _with_nearest(text: Message, names: Iterable[str] | None) -> Message:
    return message("cli_usage.did_you_mean", text=text, names=tuple(names)) if names else text


def _range_text(kind: click.ParamType[Any]) -> Message | None:
    """Return the range of a number, if it has one."""
    if not isinstance(kind, click.IntRange | click.FloatRange):
        return None
    low, high = (None if each is None else f"{each:g}" for each in (kind.min, kind.max))
    if low is None:
        return None if high is None else message("cli_usage.at_most", high=high)
    return message("cli_usage.at_least", low=low) if high is None else message("cli_usage.range", low=low, high=high)


def _invalid_value(kind: click.ParamType[Any], value: Any) -> Message | None:
    """Return why a value does not fit its type; None for a type that no command uses."""
    if isinstance(kind, click.Choice):
        return message("cli_usage.not_a_choice", value=value, choices=tuple(map(str, kind.choices)))
    if isinstance(kind, click.types.IntParamType | click.types.FloatParamType):
        try:
            float(value)
        except ValueError:
            whole = isinstance(kind, click.types.IntParamType)
            return message("cli_usage.not_an_integer" if whole else "cli_usage.not_a_number", value=value)
        bounds = _range_text(kind)
        if bounds is not None:
            return message("cli_usage.out_of_range", value=value, range=bounds)
        return message("cli_usage.not_an_integer", value=value)
    if isinstance(kind, click.Path):
        return message("cli_usage.no_such_path", value=value)
    return None

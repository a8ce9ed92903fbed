"""The steps of `demo`, against a server that a client is connected to: what is printed of them, and who answers the questions."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anyio
import click
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult, TextContent

from saasus_mcp.cli import state
from saasus_mcp.cli.approvals import approval_view
from saasus_mcp.cli.output import has_screen
from saasus_mcp.cli.terminal import render
from saasus_mcp.cli.text_layout import terminal_columns, wrap_text
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Localized, Message, message, one_of
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.approval.confirmation import FIELD_NAME, FIELD_YES, MIN_READING_SECONDS
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import HANDLE_PREFIX
from saasus_mcp.store.folder_stores import FolderStores

COLOURS = {"assistant": "cyan", "server": "green", "person": "yellow", "note": "bright_black"}
MAX_ANSWER_CHARACTERS = 300
INDENT, CONTINUED, QUOTED = " " * 4, " " * 2, "  | "
"""What rows begin with: all, those that continue a line, and those of a question or of a further line."""
QUESTION_INDENT = len(INDENT) + len(QUOTED) + len(CONTINUED)
MEMBER_EMAIL = "hanako@example.com"
COLLEAGUE_EMAIL = "taro@example.com"
MISTYPED_EMAIL = "hanako@example.co"
USAGE = 12
PRODUCTION = 3
APPROVER = "local:demo-person"


class DemoPresenter:
    """Prints the steps. In short form, it only adds a line for each step that succeeded to `lines`."""

    def __init__(self, lines: list[str] | None = None) -> None:
        self.step = ""
        self._lines = lines
        self._count = 0

    def begin_step(self, step: str) -> None:
        """Begin a step, by its key in the messages."""
        self._count += 1
        self.step = render(one_of("cli_demo.step", step))
        if self._lines is None:
            click.echo(click.style(f"\n{self._count:>2}. {self.step}", bold=True))

    def end_step(self) -> None:
        if self._lines is not None:
            self._lines.append(f"{self._count:>2}. {render(message('cli_demo.step_result', step=self.step))}")

    def say(self, speaker: str, text: Localized | str) -> None:
        if self._lines is not None:
            return
        first, *rest = visible_text(render(text)).splitlines() or [""]
        name = render(one_of("cli_demo.speaker", speaker))
        begin, *more = _rows(f"{name}: {first}", len(INDENT) + len(CONTINUED))
        click.echo(INDENT + click.style(name, fg=COLOURS[speaker]) + begin.removeprefix(name))
        for row in more:
            click.echo(f"{INDENT}{CONTINUED}{row}")
        for line in rest:
            for number, row in enumerate(_rows(line, QUESTION_INDENT)):
                click.echo(f"{INDENT}{QUOTED}{CONTINUED if number else ''}{row}".rstrip())


def _rows(text: str, indent: int) -> Iterable[str]:
    """Return a line in rows that fit on the screen after an indent, or as it is without a screen."""
    return wrap_text(text, terminal_columns() - indent) if has_screen() else [text]


def first_text(result: CallToolResult) -> str:
    first = result.content[0]
    return first.text if isinstance(first, TextContent) else ""


class DemoPerson:
    """Answers the client's questions with yes, or with the name that the script sets."""

    def __init__(self, presenter: DemoPresenter) -> None:
        self._presenter = presenter
        self._name = ""
        self._pause = 0.0
        self.question_count = 0

    def prepare_name(self, name: str, pause: float = 0.0) -> None:
        """Set the name for the next question that wants one, and the seconds before the answer.

        The server takes a wrong name without a pause for the client's own answer, not for a person's.
        """
        self._name, self._pause = name, pause

    async def answer(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        self.question_count += 1
        self._presenter.say("server", params.message)
        if isinstance(params, ElicitRequestFormParams) and FIELD_NAME in params.requested_schema["properties"]:
            await anyio.sleep(self._pause)
            self._presenter.say("person", message("cli_demo.types", name=self._name))
            return ElicitResult(action="accept", content={FIELD_NAME: self._name})
        self._presenter.say("person", message("cli_demo.says_yes"))
        return ElicitResult(action="accept", content={FIELD_YES: True})


class DemoFailed(SaasusMcpError):
    """A step had another result than expected."""


class DemoScript:
    """One run. `folder` is the state folder of the server that the client is connected to."""

    def __init__(
        self, client: Client, person: DemoPerson, presenter: DemoPresenter, *, folder: Path, language: Language
    ) -> None:
        self._client = client
        self._person = person
        self._presenter = presenter
        self._folder = folder
        self._language = language
        self._tenant: dict[str, str] = {}
        self._user = ""

    async def run(self, tool_count: int) -> None:
        """Run all steps.

        Raises:
            DemoFailed: a step had another result than expected.
        """
        await self._list_tools(tool_count)
        await self._create_tenant()
        await self._create_user()
        await self._invite()
        await self._record_usage()
        await self._reset_password()
        await self._remove_user()
        await self._delete_tenant()

    async def _list_tools(self, expected: int) -> None:
        presenter = self._begin("list")
        presenter.say("assistant", message("cli_demo.list_ask"))
        listed = await self._client.list_tools()
        found = sum("saasus.io/operation" in (tool.meta or {}) for tool in listed.tools)
        presenter.say("server", message("cli_demo.list_answer", count=found))
        self._end(found == expected, message("cli_demo.wrong.tool_count", found=found, expected=expected))

    async def _create_tenant(self) -> None:
        presenter = self._begin("tenant")
        presenter.say("note", message("cli_demo.tenant_note"))
        arguments = {"name": self._tenant_name, "attributes": {}, "back_office_staff_email": "billing@example.com"}
        tenant = await self._succeed("auth_create_tenant", arguments)
        self._tenant = {"tenant_id": str(tenant["id"])}
        self._end(self._person.question_count == 0, message("cli_demo.wrong.asked"))

    async def _create_user(self) -> None:
        presenter = self._begin("user")
        user = await self._succeed("auth_create_saas_user", {"email": MEMBER_EMAIL})
        self._user = str(user["id"])
        presenter.say("note", message("cli_demo.user_note"))
        await self._succeed("auth_create_tenant_user", {**self._tenant, "email": MEMBER_EMAIL, "attributes": {}})
        self._end(self._person.question_count == 1, message("cli_demo.wrong.not_asked"))

    async def _invite(self) -> None:
        presenter = self._begin("invite")
        envs = [{"id": PRODUCTION, "role_names": ["admin"]}]
        token = "token-of-the-inviting-user"  # noqa: S105 - the sandbox accepts any
        arguments = {**self._tenant, "email": COLLEAGUE_EMAIL, "access_token": token, "envs": envs}
        invitation = await self._succeed("auth_create_tenant_invitation", arguments)
        presenter.say("note", message("cli_demo.invite_note"))
        hidden = str(invitation["invitation_url"]).startswith(HANDLE_PREFIX)
        self._end(hidden, message("cli_demo.wrong.link_shown"))

    async def _record_usage(self) -> None:
        presenter = self._begin("meter")
        units = (await self._succeed("pricing_get_metering_units", {}))["units"]
        meter = {**self._tenant, "metering_unit_name": units[0]["unit_name"]}
        presenter.say("note", message("cli_demo.meter_note"))
        await self._succeed("pricing_update_meter_count_now", {**meter, "method": "add", "count": USAGE})
        found = (await self._succeed("pricing_get_meter_today_count", meter))["count"]
        self._end(found == USAGE, message("cli_demo.wrong.usage", found=found, expected=USAGE))

    async def _reset_password(self) -> None:
        presenter = self._begin("password")
        reset = await self._succeed("auth_reset_saas_user_password", {"user_id": self._user})
        handle = str(reset["password"])
        presenter.say("note", message("cli_demo.password_note", handle=handle.removeprefix(HANDLE_PREFIX)))
        self._end(handle.startswith(HANDLE_PREFIX), message("cli_demo.wrong.password_shown"))

    async def _remove_user(self) -> None:
        presenter = self._begin("remove")
        presenter.say("note", message("cli_demo.remove_note"))
        arguments = {**self._tenant, "user_id": self._user}
        self._person.prepare_name(MISTYPED_EMAIL, pause=MIN_READING_SECONDS + 0.1)
        await self._fail("auth_delete_tenant_user", arguments)
        presenter.say("note", message("cli_demo.remove_again"))
        self._person.prepare_name(MEMBER_EMAIL)
        await self._succeed("auth_delete_tenant_user", arguments)
        left = await self._succeed("auth_get_tenant_users", self._tenant)
        self._end(left["users"] == [], message("cli_demo.wrong.user_left"))

    async def _delete_tenant(self) -> None:
        presenter = self._begin("delete")
        presenter.say("note", message("cli_demo.delete_note"))
        refusal = await self._fail("auth_delete_tenant", self._tenant)
        found = re.search(r"saasus-mcp approve ([0-9A-Z-]+)", refusal)
        code = found[1] if found else ""
        self._end(bool(code), message("cli_demo.wrong.no_code"))

        presenter = self._begin("approve")
        presenter.say("note", message("cli_demo.approve_note", code=code))
        self._approve(code)
        presenter.end_step()

        presenter = self._begin("once")
        await self._succeed("auth_delete_tenant", self._tenant)
        await self._fail("auth_delete_tenant", self._tenant)
        presenter.say("note", message("cli_demo.once_note"))
        presenter.end_step()

        self._begin("gone")
        refusal = await self._fail("auth_get_tenant", self._tenant)
        self._end("404" in refusal, message("cli_demo.wrong.tenant_left"))

    @property
    def _tenant_name(self) -> str:
        return message("cli_demo.tenant_name").text(self._language)

    def _keys(self) -> tuple[bytes, ...]:
        """Return the audit keys of the server, which created the key file."""
        return Encryptor.from_file(self._folder / state.KEY_FILE).derive_keys(state.AUDIT_KEY_PURPOSE)

    def _approve(self, code: str) -> None:
        """Do what `saasus-mcp approve` does, in place of a person."""
        now = time.time()
        with state.open_named_stores(FolderStores(self._folder, self._keys)) as stores:
            approvals, approval = approval_view.find_pending(stores, code, now)
            question = "\n".join(
                approval_view.question_lines(approval, Reader.of(self._language), margin=QUESTION_INDENT)
            )
            self._presenter.say("server", click.unstyle(question))
            self._presenter.say("person", message("cli_demo.types", name=approval.name))
            approvals.approve(approval, self._tenant_name, APPROVER, now)

    async def _succeed(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer of a call that must succeed."""
        result = await self._call(tool, arguments)
        if result.is_error:
            text = first_text(result).splitlines()[0]
            raise DemoFailed(message("cli_demo.wrong.refused", tool=tool, text=text))
        return dict(result.structured_content or {})

    async def _fail(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """Return the text of a call that must be refused."""
        result = await self._call(tool, arguments)
        if not result.is_error:
            raise DemoFailed(message("cli_demo.wrong.not_refused", tool=tool))
        return first_text(result)

    async def _call(self, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        self._presenter.say("assistant", f"{tool} {_format(dict(arguments))}")
        result = await self._client.call_tool(tool, dict(arguments))
        text = first_text(result)
        if not result.is_error:
            document, line_end, notes = text.partition("\n")
            text = _format(json.loads(document)) + line_end + notes
        truncated = len(text) > MAX_ANSWER_CHARACTERS and not result.is_error  # a refusal is shown whole
        self._presenter.say("server", text[:MAX_ANSWER_CHARACTERS] + "..." if truncated else text)
        return result

    def _begin(self, step: str) -> DemoPresenter:
        self._presenter.begin_step(step)
        return self._presenter

    def _end(self, succeeded: bool, otherwise: Message) -> None:  # noqa: FBT001 - a condition, not a switch
        if not succeeded:
            raise DemoFailed(otherwise)
        self._presenter.end_step()


def _format(value: Any) -> str:
    """Return JSON with blanks, between which a screen can end its lines."""
    return json.dumps(value, ensure_ascii=False)

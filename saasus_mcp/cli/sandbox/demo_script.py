"""The story of `demo`, step by step, against a server that a client is connected to."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from mcp import Client
from mcp.types import CallToolResult

from saasus_mcp.cli import state
from saasus_mcp.cli.approvals import approval_view
from saasus_mcp.cli.sandbox.demo_presenter import DemoPerson, DemoPresenter, first_text
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.confirmation import MIN_READING_SECONDS
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import HANDLE_PREFIX
from saasus_mcp.store.folder_stores import FolderStores

MEMBER_EMAIL = "hanako@example.com"
COLLEAGUE_EMAIL = "taro@example.com"
MISTYPED_EMAIL = "hanako@example.co"
USAGE = 12
PRODUCTION = 3
APPROVER = "local:demo-person"


class DemoFailed(Exception):
    """A step ended otherwise than told."""


class DemoScript:
    """One telling. `state` is the state folder of the server at the other end."""

    def __init__(self, client: Client, person: DemoPerson, stage: DemoPresenter, state: Path, lang: Language) -> None:
        self._client = client
        self._person = person
        self._stage = stage
        self._state = state
        self._lang = lang
        self._tenant: dict[str, str] = {}
        self._user = ""

    async def run(self, tools: int) -> None:
        """All of it; `tools` is how many operations there are.

        Raises:
            Broken: a step ended otherwise.
        """
        await self._look_around(tools)
        await self._create_tenant()
        await self._create_user()
        await self._invite()
        await self._meter()
        await self._reset_password()
        await self._remove_user()
        await self._delete_tenant()

    async def _look_around(self, tools: int) -> None:
        stage = self._begin("list")
        stage.say("assistant", stage.words["list_ask"])
        listed = await self._client.list_tools()
        found = sum("saasus.io/operation" in (tool.meta or {}) for tool in listed.tools)
        stage.say("server", stage.words["list_answer"].format(count=found))
        self._end(found == tools, f"{found} tools, not {tools}")

    async def _create_tenant(self) -> None:
        stage = self._begin("tenant")
        name = stage.words["tenant_name"]
        stage.say("note", stage.words["tenant_note"])
        wanted = {"name": name, "attributes": {}, "back_office_staff_email": "billing@example.com"}
        made = await self._done("auth_create_tenant", wanted)
        self._tenant = {"tenant_id": str(made["id"])}
        self._end(self._person.question_count == 0, "a person was asked")

    async def _create_user(self) -> None:
        stage = self._begin("user")
        made = await self._done("auth_create_saas_user", {"email": MEMBER_EMAIL})
        self._user = str(made["id"])
        stage.say("note", stage.words["user_note"])
        await self._done("auth_create_tenant_user", {**self._tenant, "email": MEMBER_EMAIL, "attributes": {}})
        self._end(self._person.question_count == 1, "the person was not asked")

    async def _invite(self) -> None:
        stage = self._begin("invite")
        envs = [{"id": PRODUCTION, "role_names": ["admin"]}]
        wanted = {**self._tenant, "email": COLLEAGUE_EMAIL, "access_token": "token-of-the-inviting-user", "envs": envs}
        made = await self._done("auth_create_tenant_invitation", wanted)
        stage.say("note", stage.words["invite_note"])
        self._end(str(made["invitation_url"]).startswith(HANDLE_PREFIX), "the link is not hidden")

    async def _meter(self) -> None:
        stage = self._begin("meter")
        units = (await self._done("pricing_get_metering_units", {}))["units"]
        meter = {**self._tenant, "metering_unit_name": units[0]["unit_name"]}
        stage.say("note", stage.words["meter_note"])
        await self._done("pricing_update_meter_count_now", {**meter, "method": "add", "count": USAGE})
        read = await self._done("pricing_get_meter_today_count", meter)
        self._end(read["count"] == USAGE, f"{read['count']} was read back, not {USAGE}")

    async def _reset_password(self) -> None:
        stage = self._begin("password")
        made = await self._done("auth_reset_saas_user_password", {"user_id": self._user})
        handle = str(made["password"])
        stage.say("note", stage.words["password_note"].format(handle=handle.removeprefix(HANDLE_PREFIX)))
        self._end(handle.startswith(HANDLE_PREFIX), "the password is not hidden")

    async def _remove_user(self) -> None:
        stage = self._begin("remove")
        stage.say("note", stage.words["remove_note"])
        wanted = {**self._tenant, "user_id": self._user}
        self._person.prepare_name(MISTYPED_EMAIL, pause=MIN_READING_SECONDS + 0.1)
        await self._refused("auth_delete_tenant_user", wanted)
        stage.say("note", stage.words["remove_again"])
        self._person.prepare_name(MEMBER_EMAIL)
        await self._done("auth_delete_tenant_user", wanted)
        left = await self._done("auth_get_tenant_users", self._tenant)
        self._end(left["users"] == [], "the user is still there")

    async def _delete_tenant(self) -> None:
        stage = self._begin("delete")
        stage.say("note", stage.words["delete_note"])
        code = _code(await self._refused("auth_delete_tenant", self._tenant))
        self._end(bool(code), "no approval code was given")

        stage = self._begin("approve")
        stage.say("note", stage.words["approve_note"].format(code=code))
        self._approve(code)
        self._end()

        stage = self._begin("once")
        await self._done("auth_delete_tenant", self._tenant)
        await self._refused("auth_delete_tenant", self._tenant)
        stage.say("note", stage.words["once_note"])
        self._end()

        self._begin("gone")
        missing = await self._refused("auth_get_tenant", self._tenant)
        self._end("404" in missing, "the tenant is still there")

    def _keys(self) -> tuple[bytes, ...]:
        """Those of the server at the other end, which made the file."""
        return Encryptor.from_file(self._state / state.KEY_FILE).derive_keys(state.AUDIT_KEY_PURPOSE)

    def _approve(self, code: str) -> None:
        """What `saasus-mcp approve` does, with this program in the person's place."""
        now = time.time()
        with state.open_named_stores(FolderStores(self._state, self._keys)) as stores:
            approvals, approval = approval_view.find_pending(stores, code, now, self._lang)
            asked = "\n".join(approval_view.question_lines(approval, Reader.of(self._lang)))
            self._stage.say("server", click.unstyle(asked))
            self._stage.say("person", self._stage.words["approve_types"].format(name=approval.name))
            approvals.approve(approval, self._stage.words["tenant_name"], APPROVER, now)

    async def _done(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of a call that must succeed."""
        result = await self._call(tool, arguments)
        if result.is_error:
            raise DemoFailed(f"{tool} was refused: {first_text(result).splitlines()[0]}")
        return dict(result.structured_content or {})

    async def _refused(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """The words of a call that must not succeed."""
        result = await self._call(tool, arguments)
        if not result.is_error:
            raise DemoFailed(f"{tool} was not refused")
        return first_text(result)

    async def _call(self, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        self._stage.show_call(tool, arguments)
        result = await self._client.call_tool(tool, dict(arguments))
        self._stage.show_answer(result)
        return result

    def _begin(self, step: str) -> DemoPresenter:
        self._stage.begin_step(step)
        return self._stage

    def _end(self, held: bool = True, otherwise: str = "") -> None:  # noqa: FBT001, FBT002 - a condition, not a switch
        if not held:
            raise DemoFailed(otherwise)
        self._stage.end_step()


def _code(text: str) -> str:
    found = re.search(r"saasus-mcp approve ([0-9A-Z-]+)", text)
    return found[1] if found else ""

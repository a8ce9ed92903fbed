"""The reader's language and time zone."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx2
import pytest

from saasus_mcp.common import timezones
from tests.support.console import ConsoleSession, csrf_token
from tests.support.questions import plan_change


async def zone(client: httpx2.AsyncClient, name: str) -> httpx2.Response:
    token = csrf_token(await client.get("/console/session"))
    return await client.post("/console/time-zone", data={"csrf": token, "zone": name})


async def test_times_are_those_of_the_zone_that_the_server_or_the_reader_chose(stage: ConsoleSession) -> None:
    stage.create_approval(preview=plan_change().to_json())
    stage.console = replace(stage.console, zone=timezones.find_time_zone("Asia/Tokyo"))
    stage.serve()
    async with stage.signed_in() as client:
        assert "09:00 JST" in (await client.get("/console/approvals/ABCD-2345")).text
        refused = await zone(client, "Nowhere/Land")
        assert (refused.status_code, "This time zone does not exist" in refused.text) == (422, True)
        await zone(client, "America/New_York")
        assert "Mon 30 Nov 2026, 19:00 EST" in (await client.get("/console/approvals/ABCD-2345")).text
        await zone(client, "")
        assert "09:00 JST" in (await client.get("/console/approvals/ABCD-2345")).text


@pytest.mark.parametrize("lang", ["en", "ja"])
async def test_the_time_zone_that_is_shown_can_be_saved_again(stage: ConsoleSession, lang: str) -> None:
    async with stage.signed_in(**{"accept-language": lang}) as client:
        page = await client.get("/console/session")
        shown = re.search(r'name="zone" value="([^"]*)"', page.text)
        assert shown is not None
        assert (await zone(client, shown[1])).status_code == 303


async def test_a_wrong_time_zone_can_be_corrected(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        page = await zone(client, "Tokyo")
    assert page.status_code == 422
    assert 'name="zone" value="Tokyo"' in page.text


async def test_the_reader_can_change_the_language(stage: ConsoleSession) -> None:
    async with stage.signed_in() as client:
        assert "Approvals" in (await client.get("/console")).text
        await client.post("/console/language")
        assert "承認" in (await client.get("/console")).text

"""A server is killed while a question of it is open: its call ends with an error, the answer is refused elsewhere, and nothing is sent."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from tests.support.handshake_client import ELICITATION, handshake_client
from tests.support.hosting_server import error_message
from tests.support.replicas import start_replicas

pytestmark = [pytest.mark.process, pytest.mark.slow]
ALREADY_GONE = "no longer open"
RATE = {
    "name": "standard",
    "display_name": "Standard",
    "percentage": 8,
    "inclusive": False,
    "country": "JP",
    "description": "",
}


async def test_the_answer_to_a_question_whose_server_was_killed_is_refused_and_nothing_is_sent(
    catalogue: Catalogue, where: Path | str, tmp_path: Path
) -> None:
    async with start_replicas(catalogue, where, tmp_path) as two, handshake_client() as client:
        owner, other = two.replicas
        await client.initialize(owner.url, **ELICITATION)
        async with client.call(owner.url, "pricing_create_tax_rate", RATE) as call:
            question = await call.question()
            owner.kill()
            with pytest.raises((httpx2.TransportError, EOFError)):
                await call.result()
        answered = await client.answer(other.url, question, {"confirm": True})
        assert answered.status_code == 400
        assert ALREADY_GONE in error_message(answered)
        assert await client.ping(other.url) == 200
        assert two.sandbox.count_writes("standard") == 0

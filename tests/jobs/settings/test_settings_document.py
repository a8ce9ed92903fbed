"""The document of settings: what is refused before anything is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.common.messages import message
from saasus_mcp.server.results.result_store import RESULTS_URI
from tests.support.job_server import AcceptingPerson, start_job_server


@pytest.mark.slow
@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "document:"),
        ({"format": "saasus-settings", "version": 2, "settings": {}}, "document.version:"),
        ({"format": "saasus-settings", "version": 1, "settings": []}, "document.settings:"),
        ({"format": "saasus-settings", "version": 1, "settings": {"colour": {}}}, "document.settings.colour:"),
        ({"format": "saasus-settings", "version": 1, "settings": {"roles": {}}}, "document.settings.roles:"),
        (
            {"format": "saasus-settings", "version": 1, "settings": {"roles": [{"name": "x"}]}},
            "document.settings.roles[0].role_name:",
        ),
        (
            {
                "format": "saasus-settings",
                "version": 1,
                "settings": {"roles": [{"role_name": "x"}, {"role_name": "x"}]},
            },
            "document.settings.roles:",
        ),
    ],
)
@pytest.mark.parametrize("job", ["job_compare_settings", "job_apply_settings"])
async def test_an_invalid_document_is_refused_by_field(tmp_path: Path, job: str, document: Any, field: str) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call(job, {"document": document})
        assert not answer.ok
        assert answer.text.startswith(field)


@pytest.mark.parametrize(
    ("display", "said"),
    [("secret://r/abc", "document.settings.roles[0]"), ("[redacted]", "a part of it is redacted")],
)
async def test_neither_a_handle_nor_the_mark_of_a_secret_is_written_as_a_setting(
    tmp_path: Path, display: str, said: str
) -> None:
    async with start_job_server(tmp_path) as on:
        roles = [{"role_name": "new", "display_name": display}]
        document = {"format": "saasus-settings", "version": 1, "settings": {"roles": roles}}
        answer = await on.call("job_apply_settings", {"document": document}, elicitor=AcceptingPerson())
        assert said in answer.text
        assert on.count_requests("auth.CreateRole") == 0


@pytest.mark.parametrize(
    ("job", "argument", "right"),
    [
        ("job_apply_settings", "document", "result"),
        ("job_compare_settings", "other_document", "other_result"),
        ("job_import_users", "csv", "result"),
    ],
)
async def test_the_address_of_a_result_in_place_of_the_content_is_led_to_the_right_argument(
    tmp_path: Path, job: str, argument: str, right: str
) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call(job, {argument: f"{RESULTS_URI}1234"})
    assert answer.text.startswith(f"{argument}: {message('jobs.result_elsewhere')}")
    assert str(message("jobs.result_elsewhere_hint", name=right)) in answer.text

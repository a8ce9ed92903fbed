"""What is wrong with a document of settings is reported before anything is created."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.job_server import AcceptingPerson, JobServer, start_job_server


async def exported(on: JobServer, *kinds: str) -> dict[str, Any]:
    told = await on.call_json("job_export_settings", {"kinds": list(kinds)})
    document: dict[str, Any] = on.stored_result(told["result"])
    return document


async def test_a_missing_part_is_reported_before_anything_is_created(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        document = await exported(on, "pricing_menus")
        menu = {"name": "m", "display_name": "M", "description": "M", "units": ["base_starter", "no-such"]}
        document["settings"]["pricing_menus"].append(menu)
        answer = await on.call("job_apply_settings", {"document": document}, elicitor=AcceptingPerson())
        assert answer.text.startswith("document.settings.pricing_menus[6].units[1]: “no-such” exists neither here")
        assert on.count_requests("pricing.CreatePricingMenu") == 0


async def test_an_item_that_the_api_would_refuse_is_reported_by_its_position(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        document = await exported(on, "user_attributes")
        document["settings"]["user_attributes"].append(
            {"attribute_name": "x", "display_name": "X", "attribute_type": "x"}
        )
        answer = await on.call("job_apply_settings", {"document": document}, elicitor=AcceptingPerson())
        assert answer.text.startswith("document.settings.user_attributes[5]: attribute_type")


async def test_all_faults_of_a_document_are_reported_at_once_and_each_once(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        document = await exported(on, "user_attributes", "pricing_units", "pricing_menus")
        settings = document["settings"]
        settings["user_attributes"].append({"attribute_name": "x", "display_name": "X", "attribute_type": "x"})
        settings["pricing_units"].append({"name": "half", "type": "fixed"})
        names = {"display_name": "M", "description": "M"}
        settings["pricing_menus"] += [
            {"name": "of-half", "units": ["half"], **names},
            {"name": "of-none", "units": ["no-such"], **names},
        ]
        answer = await on.call("job_apply_settings", {"document": document}, elicitor=AcceptingPerson())
        first, *faults, last = answer.text.strip().splitlines()
        assert first.startswith("document: 3 settings have faults.")
        places = ["user_attributes[5]: attribute_type", "pricing_units[9]: ", "pricing_menus[7].units[0]: “no-such”"]
        assert len(faults) == len(places)
        for fault, place in zip(sorted(faults), sorted(places), strict=True):
            assert fault.startswith(f"document.settings.{place}")
        assert last.endswith("Correct the document.")

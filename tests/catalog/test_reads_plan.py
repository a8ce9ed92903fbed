"""Planning of reads: arguments come from earlier answers, and never with the id of another parent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.catalog.read_planner import MAX_READ_ROWS, PlannedRead, SlotValues, plan_reads
from saasus_mcp.saasus import arguments

NOW = datetime(2026, 3, 18, 12, tzinfo=UTC)
READS: dict[str, PlannedRead] = {read.key: read for read in plan_reads(load_catalogue())}


def build_arguments(key: str, rows: list[SlotValues]) -> list[dict[str, Any]]:
    return list(READS[key].arguments(rows, NOW))


def test_a_plan_holds_every_read_and_nothing_else() -> None:
    assert list(READS) == sorted(operation.key for operation in load_catalogue() if operation.reads)


def test_only_reads_that_need_a_secret_cannot_be_made() -> None:
    """Fail for a new read whose id no rule finds. Add a rule, or explain why no rule is possible."""
    assert {key for key, read in READS.items() if not read.possible} == {
        "apigateway.GetApiKey",
        "auth.GetUserInfo",
        "awsmarketplace.VerifyRegistrationToken",
    }
    assert all(read.secret or read.possible for read in READS.values())


@pytest.mark.parametrize("key", [key for key, read in READS.items() if read.possible and not read.needs])
def test_a_read_without_ids_is_given_arguments_that_fit(key: str) -> None:
    (given,) = build_arguments(key, [])
    arguments.check_arguments(READS[key].operation, given)


def test_times_cover_a_period_that_ends_now() -> None:
    assert build_arguments("analysis.GetAggregatedUserInfo", []) == [
        {"start_date": "2026-02-16", "end_date": "2026-03-18"}
    ]
    assert build_arguments("analysis.GetActiveUsers", []) == [{"type": "monthly", "date_from": "2026-03"}]
    (stamps,) = build_arguments("analysis.GetPageStatistics", [])
    assert stamps["end_timestamp"] - stamps["start_timestamp"] == 30 * 24 * 3600


def test_a_user_is_asked_for_in_the_tenant_whose_list_names_it() -> None:
    tenants = READS["auth.GetTenants"].rows({}, {"tenants": [{"id": "t1"}, {"id": "t2"}]})
    strangers = READS["auth.GetSaasUsers"].rows({}, {"users": [{"id": "elsewhere", "email": "e"}]})
    assert build_arguments("auth.GetTenantUser", [*tenants, *strangers]) == []

    members = READS["auth.GetTenantUsers"].rows({"tenant_id": "t2"}, {"users": [{"id": "u"}]})
    assert build_arguments("auth.GetTenantUser", [*tenants, *strangers, *members]) == [
        {"tenant_id": "t2", "user_id": "u"}
    ]


def test_a_nested_list_gives_ids_of_its_own_parent() -> None:
    answer = {"feedbacks": [{"id": "f1", "comments": []}, {"id": "f2", "comments": [{"id": "c"}]}]}
    rows = READS["communication.GetFeedbacks"].rows({}, answer)
    assert build_arguments("communication.GetFeedbackComment", rows) == [{"feedback_id": "f2", "comment_id": "c"}]


def test_a_field_that_ends_a_parameters_name_fills_it() -> None:
    rows = [
        *READS["auth.GetTenants"].rows({}, {"tenants": [{"id": "t"}]}),
        *READS["pricing.GetMeteringUnits"].rows({}, {"units": [{"id": "not this", "unit_name": "calls"}]}),
    ]
    given = build_arguments("pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameToday", rows)
    assert given == [{"tenant_id": "t", "metering_unit_name": "calls"}]


@pytest.mark.parametrize("answer", [None, [], "x", {"users": None}, {"users": "x"}, {"users": [None, 1, {"id": None}]}, {"users": [{"id": ""}, {"id": True}, {"id": {}}]}])  # fmt: skip
def test_an_answer_of_another_shape_gives_nothing(answer: Any) -> None:
    assert READS["auth.GetSaasUsers"].rows({}, answer) == []


def test_the_rows_of_one_answer_are_bounded() -> None:
    nested = {"feedbacks": [{"id": f"{n}", "comments": [{"id": f"{m}"} for m in range(100)]} for n in range(1000)]}
    assert len(READS["communication.GetFeedbacks"].rows({}, nested)) == MAX_READ_ROWS

"""Changes to what was deleted later are not listed as if they could be undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.server.pipeline.deletions import deletions_by_call
from saasus_mcp.server.pipeline.undo import UndoExtent, preview_undo
from saasus_mcp.store.records import UndoEntry

Change = tuple[str, dict[str, Any], Any]
RENAMED: Change = ("auth.UpdateRole", {"role_name": "a", "display_name": "B"}, {"role_name": "a", "display_name": "A"})
MEMBER = {"tenant_id": "t-1", "user_id": "u-1"}
GRANTED: Change = ("auth.CreateTenantUserRoles", {**MEMBER, "env_id": 3, "role_names": ["a"]}, {"envs": []})
DEFINED: Change = ("auth.CreateUserAttribute", {"attribute_name": "a"}, None)


def entry(number: int, change: Change) -> UndoEntry:
    operation, arguments, before = change
    return UndoEntry(f"c{number}", float(number), operation, "local:me", "default", arguments, before)


@pytest.mark.parametrize(
    ("change", "deletion", "args", "extent"),
    [
        (RENAMED, "auth.DeleteRole", {"role_name": "a"}, "gone"),
        (RENAMED, "auth.DeleteRole", {"role_name": "b"}, "whole"),
        (GRANTED, "auth.DeleteTenantUser", MEMBER, "gone"),
        (GRANTED, "auth.DeleteTenant", {"tenant_id": "t-1"}, "gone"),
        (GRANTED, "auth.DeleteSaasUser", {"user_id": "u-1"}, "gone"),
        (GRANTED, "auth.DeleteEnv", {"env_id": 3}, "gone"),
        (GRANTED, "auth.DeleteTenantUser", {**MEMBER, "user_id": "u-2"}, "whole"),
        (DEFINED, "auth.DeleteUserAttribute", {"attribute_name": "a"}, "gone"),
        (DEFINED, "auth.DeleteTenantAttribute", {"attribute_name": "a"}, "whole"),
        (RENAMED, "billing.DeleteStripeInfo", {}, "whole"),
    ],
)
def test_a_change_to_something_that_was_deleted_later_is_listed_as_gone(
    catalogue: Catalogue, change: Change, deletion: str, args: Mapping[str, Any], extent: UndoExtent
) -> None:
    changed, deleted = entry(1, change), entry(2, (deletion, dict(args), None))
    found = preview_undo(catalogue, changed, deletions_by_call(catalogue, [[deleted, changed]])["c1"])
    assert found is not None
    assert found.extent == extent


@pytest.mark.parametrize("case", ["before", "undone", "another log", "created again"])
def test_a_deletion_that_does_not_concern_a_change_leaves_its_undo(catalogue: Catalogue, case: str) -> None:
    changed, deleted = entry(1, RENAMED), entry(2, ("auth.DeleteRole", {"role_name": "a"}, None))
    if case == "before":
        deleted = replace(deleted, at=0.0)
    elif case == "undone":
        deleted = replace(deleted, undone={0: "c3"})
    again = [entry(3, ("auth.CreateRole", {"role_name": "a", "display_name": "B"}, None))]
    logs = [[deleted], [changed]] if case == "another log" else [[deleted, changed]]
    logs[0] += again if case == "created again" else []
    found = preview_undo(catalogue, changed, deletions_by_call(catalogue, logs)["c1"])
    assert found is not None
    assert found.extent == "whole"

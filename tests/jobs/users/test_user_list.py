"""The headings of a list of users are understood as people write them."""

from __future__ import annotations

import pytest

from saasus_mcp.jobs.users.user_list import HEADINGS


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        (" Email ", "email"),
        ("メールアドレス", "email"),
        ("ＥＭＡＩＬ", "email"),
        ("テナント名", "tenant_name"),
        ("環境", "env_id"),
        ("役割(ロール)", "role_name"),
        ("属性.部署", "attribute.部署"),
        ("Attribute.department", "attribute.department"),
        ("Tenant Name", "tenant_name"),
        ("E-mail", "email"),
        ("メール アドレス", "email"),
        ("給与", "給与"),
    ],
)
def test_a_heading_names_its_column_in_both_languages(heading: str, column: str) -> None:
    assert HEADINGS.find(heading) == column

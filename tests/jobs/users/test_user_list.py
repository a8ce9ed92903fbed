"""The headings of a list of users are understood as people write them."""

from __future__ import annotations

import pytest

from saasus_mcp.jobs.users.user_line import ATTRIBUTE_PREFIX
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


TITLES = {
    "full_name": "氏名",
    "department": "部署",
    "部署": "",
    "one": "備考",
    "two": "備 考",
    "mail": "メールアドレス",
}


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        ("氏名", "attribute.full_name"),
        (" 氏 名 ", "attribute.full_name"),
        ("属性.氏名", "attribute.full_name"),
        ("attribute.full_name", "attribute.full_name"),
        ("部署", "attribute.department"),
        ("属性.部署", "attribute.部署"),
        ("備考", "備考"),
        ("属性.備考", "attribute.備考"),
        ("メールアドレス", "email"),
        ("属性.メールアドレス", "attribute.mail"),
        ("full_name", "full_name"),
    ],
)
def test_a_heading_names_an_attribute_by_its_title_unless_something_else_has_it(heading: str, column: str) -> None:
    assert HEADINGS.with_titles(ATTRIBUTE_PREFIX, TITLES).find(heading) == column

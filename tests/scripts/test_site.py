"""A page reads on the documentation site as it does in the repository, and asks no other host for anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from scripts.site.llms import sections, summary, write
from scripts.site.markdown import site_page, slug

ROOT = Path(__file__).resolve().parents[2]
ENGLISH, JAPANESE = "docs/clients/cursor.md", "docs/clients/cursor.ja.md"


@pytest.mark.parametrize(
    ("path", "written", "shown"),
    [
        (ENGLISH, "[a](../hosting.md#limits)", "[a](../hosting.md#limits)"),
        (JAPANESE, "[a](../hosting.ja.md#制限)", "[a](../hosting.md#制限)"),
        (ENGLISH, "[a](../../README.md#install)", "[a](../overview.md#install)"),
        (ENGLISH, "[a](../README.md)", "[a](../index.md)"),
        (ENGLISH, "[a](../../SECURITY.md)", "[a](https://github.com/saasus-mcp/saasus-mcp/blob/main/SECURITY.md)"),
        (ENGLISH, "[a](https://saasus.io)", "[a](https://saasus.io)"),
        (ENGLISH, "```\n[a](../../SECURITY.md)\n```\n", "```\n[a](../../SECURITY.md)\n```\n"),
    ],
    ids=["page", "translation", "readme", "index", "repository", "elsewhere", "code"],
)
def test_a_link_leads_to_the_page_of_the_site_or_to_the_repository(path: str, written: str, shown: str) -> None:
    assert site_page(ROOT, path, written) == shown


def test_a_list_after_a_paragraph_stays_a_list() -> None:
    assert site_page(ROOT, ENGLISH, "Two:\n- one\n- two\n") == "Two:\n\n- one\n- two\n"


def test_a_line_break_between_japanese_letters_is_no_space() -> None:
    assert site_page(ROOT, JAPANESE, "表示し、\n確認を求めます。\n") == "表示し、確認を求めます。\n"
    assert site_page(ROOT, JAPANESE, "# 見出し\n本文\n") == "# 見出し\n本文\n"


@pytest.mark.parametrize(("page", "language"), [("overview", "en"), ("overview.ja", "ja")])
def test_the_readme_is_shown_without_pictures_and_programs_of_other_hosts(page: str, language: str) -> None:
    path = f"docs/{page}.md"
    shown = site_page(ROOT, path, (ROOT / path).read_text(encoding="utf-8"))
    assert "shields.io" not in shown
    assert "mermaid" not in shown
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", shown)
    assert {f"images/permissions-{language}.svg", f"images/recording-{language}.svg"} <= {*pictures}
    assert all((ROOT / "docs" / picture).exists() for picture in pictures)
    assert "<img" not in shown


def test_headings_have_the_anchors_of_github() -> None:
    assert slug("`job_contract_report`") == "job_contract_report"
    assert slug("Without a person: `claude -p`") == "without-a-person-claude--p"
    assert slug("権限の仕組み") == "権限の仕組み"


def test_a_model_finds_every_page_with_a_line_about_it(tmp_path: Path) -> None:
    write(ROOT, tmp_path, "https://docs.example.com/")
    listed = (tmp_path / "llms.txt").read_text(encoding="utf-8")
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    for _, pages in sections(nav):
        for page in pages:
            assert f"(https://docs.example.com/{page}): " in listed
            assert (tmp_path / page).read_text(encoding="utf-8")
    assert "one line" in summary("# A page\n\n[日本語](a.ja.md)\n\nIt has one line. And more.\n")
    assert len((tmp_path / "llms-full.txt").read_text(encoding="utf-8")) > len(listed)

"""A page reads on the documentation site as it does in the repository, and asks no other host for anything."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from scripts.site.llms import sections, summary, write
from scripts.site.markdown import is_generated, site_page, slug
from scripts.site.search import BETWEEN_JAPANESE_WORDS, WORDS, boost, with_own_index
from scripts.site.search import write as write_indexes

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
    assert (
        len(
            re.findall(
                r"^\[[^\]]+\]\(https://(?:cursor\.com|insiders\.vscode\.dev)/\S+\)\{ \.button \}$", shown, re.MULTILINE
            )
        )
        == 4
    )
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


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("料金プラン", ["料金", "プラン"]),
        ("MFAのリセット", ["MFA", "の", "リセット"]),
        ("取り消し", ["取り消し"]),
        ("承認、監査ログ", ["承認", "監査", "ログ"]),
        ("0.5 saasus_api", ["0.5", "saasus_api"]),
    ],
)
def test_the_search_cuts_japanese_where_words_end(typed: str, found: list[str]) -> None:
    assert [word for word in re.split(BETWEEN_JAPANESE_WORDS, typed) if word] == found


def test_a_reader_searches_the_pages_of_their_language(tmp_path: Path) -> None:
    pages = ["undo/", "undo/#limits", "ja/undo/", "ja/undo/#limits"]
    docs = [{"location": page, "title": page, "text": ""} for page in pages]
    (tmp_path / "search").mkdir()
    config = {"lang": ["en", "ja"], "fields": {"title": {"boost": 1.0}, "tags": {"boost": 9.0}}}
    whole = tmp_path / "search" / "search_index.json"
    whole.write_text(json.dumps({"config": config, "docs": docs}), encoding="utf-8")
    for _ in range(2):  # a build writes it for each language
        write_indexes(tmp_path)
        for language, file in (("en", whole), ("ja", tmp_path / "ja" / "search" / whole.name)):
            index = json.loads(file.read_text(encoding="utf-8"))
            assert index["config"]["lang"] == [language]
            assert [doc["location"] for doc in index["docs"]] == pages[:2]
    head = '<script id="__config" type="application/json">{"annotate": null, "base": "../.."'
    assert with_own_index("ja/undo/", head) == head.replace('"../.."', '".."')
    assert with_own_index("ja/", head.replace("../..", "..")) == head.replace("../..", ".")
    assert with_own_index("undo/", head) == head


def test_words_of_the_search_belong_to_pages() -> None:
    words = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    for suffix, pages in ((".md", words["en"]), (".ja.md", words["ja"])):
        assert [page for page in pages if not (ROOT / "docs" / f"{page.rstrip('/')}{suffix}").exists()] == []


def test_pages_that_mention_everything_come_last_in_the_search() -> None:
    assert boost("questions.ja.md") == boost("questions.md") < boost("policy.ja.md")


def test_the_folders_of_the_site_are_in_the_repository() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = re.findall(r"(?:custom_dir|hooks): \[?([\w/.]+)", settings)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", ["tools/users.md", "tools/users.ja.md", "commands.md", "questions.ja.md"])
def test_a_page_that_scripts_write_is_not_edited(name: str) -> None:
    assert is_generated(name)


@pytest.mark.parametrize("name", ["tools.md", "hosting.ja.md", "clients/cursor.md", "toolsets.md"])
def test_a_page_that_people_write_can_be_edited(name: str) -> None:
    assert not is_generated(name)

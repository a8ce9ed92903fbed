"""Messages: compiled from YAML, rendered in the reader's language, and checked for use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from saasus_mcp.common import messages as runtime
from saasus_mcp.common.language import Language, Text, locale_language
from saasus_mcp.common.messages import Message, message, one_of, templates_of
from scripts.catalogue.messages import compile_messages, read_messages
from scripts.catalogue.spec_file import SpecError
from scripts.messages import Use, find_faults, find_untranslated_pages, find_uses

SOURCE = """
greeting:
  en: Hello {name}.
  ja: こんにちは、{name}。
files:
  en: {one: "{count} file", other: "{count:,} files"}
  ja: ファイル{count:,}件
list:
  en: "Names: {names}"
  ja: 名前:{names}
status:
  on: {en: "on", ja: 有効}
  off: {en: "off", ja: 無効}
"""


@pytest.fixture
def area(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "area.yaml").write_text(
        SOURCE.replace("  on:", "  'on':").replace("  off:", "  'off':"), encoding="utf-8"
    )
    for language, text in compile_messages(tmp_path).items():
        (tmp_path / f"messages.{language}.json").write_text(text, encoding="utf-8")
    monkeypatch.setattr(runtime, "FOLDER", tmp_path)
    monkeypatch.setattr(runtime, "_templates", runtime._templates.__wrapped__)
    return tmp_path


@pytest.mark.usefixtures("area")
def test_a_message_is_rendered_in_each_language() -> None:
    greeting = message("area.greeting", name="A")
    assert (str(greeting), greeting.text("ja")) == ("Hello A.", "こんにちは、A。")


@pytest.mark.parametrize("language", get_args(Language))
def test_the_areas_together_have_every_compiled_text(language: Language) -> None:
    whole = json.loads((runtime.FOLDER / f"messages.{language}.json").read_text(encoding="utf-8"))
    areas = {name.partition(".")[0] for name in whole}
    assert {name: text for area in areas for name, text in templates_of(f"{area}.", language).items()} == whole


def test_no_message_needs_a_file_once_all_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime._templates.cache_clear()
    runtime.load_all()
    ids = json.loads((runtime.FOLDER / "messages.en.json").read_text(encoding="utf-8"))
    monkeypatch.setattr(runtime, "FOLDER", tmp_path)
    assert all(templates_of(each, language) for each in ids for language in get_args(Language))


@pytest.mark.usefixtures("area")
@pytest.mark.parametrize("id", ["area.missing", "are.greeting", "areas.greeting", "missing", ""])
def test_a_message_that_does_not_exist_is_an_error(id: str) -> None:
    with pytest.raises(KeyError):
        message(id).text("en")


@pytest.mark.usefixtures("area")
def test_a_count_chooses_singular_and_plural() -> None:
    assert [str(message("area.files", count=count)) for count in (0, 1, 2000)] == ["0 files", "1 file", "2,000 files"]
    assert message("area.files", count=1).text("ja") == "ファイル1件"


@pytest.mark.usefixtures("area")
def test_parameters_are_rendered_in_the_same_language() -> None:
    names = message("area.list", names=(message("area.greeting", name="A"), Text("b", "い"), "c"))
    assert str(names) == "Names: Hello A., b, c"
    assert names.text("ja") == "名前:こんにちは、A。、い、c"


@pytest.mark.usefixtures("area")
def test_braces_in_a_value_are_shown_as_they_are() -> None:
    assert str(message("area.greeting", name="{count} {0.__class__}")) == "Hello {count} {0.__class__}."


@pytest.mark.usefixtures("area")
def test_the_audit_form_keeps_ids_and_parameters() -> None:
    assert message("area.list", names=(message("area.greeting", name="A"), 2)).as_json() == {
        "id": "area.list",
        "params": {"names": [{"id": "area.greeting", "params": {"name": "A"}}, 2]},
    }


@pytest.mark.usefixtures("area")
def test_one_of_a_group_is_chosen_by_its_value() -> None:
    assert one_of("area.status", "on") == Message("area.status.on", {})
    assert one_of("area.status", "off").text("ja") == "無効"


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ("a: {en: A}", "write en and ja"),
        ("a: {en: A, ja: あ, fr: B}", "write en and ja"),
        ("a: {en: '{x}', ja: あ}", "parameters differ"),
        ("a: {en: '', ja: あ}", "a text is a string"),
        ("a: {en: '{0}', ja: '{0}'}", "a parameter is a name"),
        ("a: {en: '{x.y}', ja: '{x.y}'}", "a parameter is a name"),
        ("a: {en: '{', ja: あ}", "Single"),
        ("a: text", "a mapping"),
        ("a: {b: {c: {en: A, ja: あ}}}", "at most one level"),
    ],
)
def test_a_faulty_message_does_not_compile(tmp_path: Path, entry: str, fault: str) -> None:
    (tmp_path / "area.yaml").write_text(entry, encoding="utf-8")
    with pytest.raises(SpecError, match=fault):
        read_messages(tmp_path)


def test_the_check_reports_every_use_that_does_not_fit(area: Path) -> None:
    uses = [
        Use("a.py:1", "area.greeting", group=False, params=frozenset({"nome"})),
        Use("a.py:2", "area.missing", group=False, params=frozenset()),
        Use("a.py:3", "area.status", group=True, params=frozenset()),
        Use("a.py:4", "area.nogroup", group=True, params=None),
    ]
    faults = sorted(find_faults(read_messages(area), uses, frozenset({"area.files"})))
    assert faults == [
        "a.py:1: area.greeting takes ['name'], not ['nome']",
        "a.py:2: no message has the id area.missing",
        "a.py:4: no message has the group area.nogroup",
        "tool_specs/messages: area.list is used nowhere",
    ]


def test_a_japanese_text_names_the_japanese_page(tmp_path: Path) -> None:
    lines = (
        "page:",
        "  en: See docs/policy.md.",
        "  ja: docs/policy.md を参照",
        "other:",
        "  en: A",
        "  ja: docs/policy.ja.md",
    )
    (tmp_path / "area.yaml").write_text("\n".join(lines), encoding="utf-8")
    [fault] = find_untranslated_pages(read_messages(tmp_path))
    assert fault.startswith("tool_specs/messages: area.page names docs/policy.md")


def test_an_error_uses_a_message_and_its_hint(tmp_path: Path) -> None:
    lines = ('E.of("a.b", name=x)', 'R.because(reason, "a.c")', 'I.at(path, "a.d", name=x)', "cycles.at(start)")
    (tmp_path / "a.py").write_text("\n".join(lines), encoding="utf-8")
    found = [(use.id, use.params) for use in find_uses(tmp_path)]
    named: frozenset[str] = frozenset({"name"})
    assert found == [
        ("a.b", named),
        ("a.b_hint", frozenset()),
        ("a.c", frozenset()),
        ("a.c_hint", frozenset()),
        ("a.d", named),
        ("a.d_hint", frozenset()),
    ]


def test_uses_are_found_in_python_and_in_templates(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('message("a.b" if x else "a.c", name=y)\none_of("a.d", value)\n', encoding="utf-8")
    (tmp_path / "a.html").write_text('{{ t("a.e", name=x) }} {{ t(one_of("a.f", x)) }}', encoding="utf-8")
    found = [(use.id, use.group, use.params) for use in find_uses(tmp_path)]
    assert found == [
        ("a.b", False, {"name"}),
        ("a.c", False, {"name"}),
        ("a.d", True, frozenset()),
        ("a.e", False, {"name"}),
        ("a.f", True, frozenset()),
    ]


@pytest.mark.parametrize(
    ("environment", "windows", "language"),
    [
        ({"LANG": "ja_JP.UTF-8"}, "", "ja"),
        ({"LANG": "C.UTF-8"}, "", "en"),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "ja_JP.UTF-8"}, "", "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "ja_JP", "LANG": "en_US"}, "", "ja"),
        ({}, "", "en"),
        ({}, "Japanese_Japan.932", "ja"),
        ({}, "English_United States.1252", "en"),
        ({"LANG": "en_US.UTF-8"}, "Japanese_Japan.932", "en"),
    ],
)
def test_the_locale_decides_on_the_language(environment: dict[str, str], windows: str, language: str) -> None:
    assert locale_language(environment, windows) == language


def test_the_audit_log_keeps_a_parameter_with_two_languages_in_english() -> None:
    assert message("catalog.unknown_tool", name=Text("role", "役割")).as_json()["params"] == {"name": "role"}

"""A file of specifications is read as it was meant, or is an error with file and line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.catalogue import __main__ as compiler
from scripts.catalogue import effects
from scripts.catalogue.effects import read_effects
from scripts.catalogue.messages import read_messages
from scripts.catalogue.spec_file import TEXT, SpecError, mapping, mapping_of, read_yaml


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3: the key a is also in line 1."),
        ("a:\n  - {b: 1, c: 2,\n     b: 3}\n", "x.yaml:3: the key b is also in line 2."),
        ("a: &a {b: 1}\nc: *a\nd: {<<: *a, e: 1, e: 2}\n", "x.yaml:3: the key e is also in line 3."),
        ("a: [1\nb: 2\n", "x.yaml:2: "),
        ("a: *b\n", "x.yaml:1: "),
    ],
)
def test_an_ambiguous_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read_yaml(file)
    assert str(caught.value).startswith(said)


def test_keys_that_an_anchor_brings_may_be_written_again(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("a: &a {b: 1, c: 1}\nd: &d {<<: *a, b: 2}\ne: {<<: *d, b: 3}\n", encoding="utf-8")
    assert read_yaml(file)["e"] == {"b": 3, "c": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one: {ja: x}\n", "x.yaml:1: one.en is missing."),
        ("one: {en: x}\ntwo:\n  en: x\n  de: y\n", "x.yaml:4: two.de is unknown."),
        ("one:\n  en: [x]\n", "x.yaml:2: one.en is ['x'], not a text."),
        ("- one\n", "x.yaml:1: the content is ['one'], not a mapping."),
        ("", "x.yaml:1: the content is None, not a mapping."),
    ],
)
def test_a_value_of_another_form_is_reported_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read_yaml(file, mapping_of(mapping({"en": TEXT, "ja": TEXT}, required=("en",))))
    assert str(caught.value) == said


def test_a_key_of_effects_or_messages_that_is_there_twice_does_not_compile(tmp_path: Path) -> None:
    text = (compiler.SPECS / "effects.yaml").read_text(encoding="utf-8")
    file = tmp_path / "effects.yaml"
    file.write_text(f"{text}\nauth.GetRoles: {{effect: read, level: read}}\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"^effects\.yaml:\d+: the key auth\.GetRoles is also in line \d+\.$"):
        read_effects(file)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "cli.yaml").write_text("a: {en: x, ja: x}\na: {en: y, ja: y}\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"^cli\.yaml:2: the key a is also in line 1\.$"):
        read_messages(tmp_path / "texts")


def test_the_compiler_ends_with_the_error_and_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "effects.yaml"
    text = (compiler.SPECS / "effects.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("level: ", "lvl: ", 1), encoding="utf-8")
    monkeypatch.setattr(effects, "read_effects", lambda _: read_effects(file))
    monkeypatch.setattr(sys, "argv", ["compile", "--check"])
    with pytest.raises(SystemExit, match=r"^effects\.yaml:\d+: "):
        compiler.main()

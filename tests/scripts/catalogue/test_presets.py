"""Presets are compiled from their policy files, and only a plain table of levels compiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.catalogue.presets import compile_presets
from scripts.catalogue.spec_file import SpecError

PRESET = "version: 1\nname: strict\nrules:\n- {name: strict/read, levels: [read], then: allow}\n"


def test_a_table_of_levels_compiles(tmp_path: Path) -> None:
    (tmp_path / "strict.yaml").write_text(PRESET, encoding="utf-8")
    assert compile_presets(tmp_path) == '{\n "strict": {\n  "read": "allow"\n }\n}\n'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: strict\n", "name: other\n"),
        ("version: 1\n", "version: 1\nconfirm_via: approval\n"),
        ("then: allow}", "then: allow, when: 'true'}"),
        ("[read]", "[read, write]"),
        ("[read]", "[harmless]"),
        ("then: allow", "then: maybe"),
        ("strict/read", "strict/write"),
        ("allow}\n", "allow}\n- {name: strict/read, levels: [read], then: deny}\n"),
    ],
)
def test_anything_else_is_an_error(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "strict.yaml").write_text(PRESET.replace(old, new), encoding="utf-8")
    with pytest.raises(SpecError, match=r"strict\.yaml"):
        compile_presets(tmp_path)

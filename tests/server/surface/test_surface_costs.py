"""The token costs of surfaces and toolsets, and the page that lists them."""

from __future__ import annotations

from types import ModuleType

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.server.surface.toolsets import TOOLSETS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning"),  # bpe_openai's own affair
]


@pytest.fixture
def bench() -> ModuleType:
    from scripts import surface_bench  # noqa: PLC0415 - under the filter above

    return surface_bench


def test_each_surface_keeps_within_its_tokens(bench: ModuleType) -> None:
    surfaces = bench.measured().surfaces
    assert surfaces.keys() == bench.BUDGETS.keys()
    for name, most in bench.BUDGETS.items():
        assert surfaces[name].tokens <= most


def test_the_toolsets_are_those_of_the_catalogue_with_few_tools_each(bench: ModuleType, catalogue: Catalogue) -> None:
    assert TOOLSETS.keys() - {"jobs"} == {operation.toolset for operation in catalogue}
    costs = bench.measured()
    assert sum(each.tools for name, each in costs.toolsets.items() if name != "jobs") == len(catalogue)
    assert max(each.tools for each in costs.toolsets.values()) + costs.always.tools < 40


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_of_toolsets_says_what_is_so_today(bench: ModuleType, language: str) -> None:
    page = bench.PAGES[language].read_text(encoding="utf-8")
    assert bench.renewed(page, language) == page, "run `python scripts/surface_bench.py --write`"


def test_the_report_names_every_surface_and_toolset(bench: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    bench.report()
    told = capsys.readouterr().out
    assert all(f"{name}" in told for name in ("full surface:", "compact surface:", *TOOLSETS))

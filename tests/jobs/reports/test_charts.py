"""Charts beside the reports: pictures, and tables of fixed width without the extra."""

from __future__ import annotations

import base64
import io
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mcp.types import BlobResourceContents, ImageContent, TextContent
from PIL import Image

from saasus_mcp.common.text import display_width
from saasus_mcp.jobs.reports.charts.chart_model import Bar, BarPanel, Chart, LinePanel, Series
from saasus_mcp.jobs.reports.charts.text_chart import render_text
from saasus_mcp.jobs.reports.usage import MeteringUnit, TenantUsage, build_usage_chart
from tests.support.job_server import start_job_server
from tests.support.pipeline import ERAS, Era, connect_client

NAMES = ("株式会社青空商事", "Harbor Lights", "ﾊﾝｶｸ商店", "naïve cafe\N{COMBINING ACUTE ACCENT}")
BARS = BarPanel("受注件数", tuple(Bar(name, 400 + number, 300) for number, name in enumerate(NAMES)))
CHART = Chart("利用量", (BARS, LinePanel("線", ("2026-10", "2026-11"), (Series("青空", (1, 2)),))), "期間", "注")


def chart_of(name: str) -> Chart:
    return Chart("t", (BarPanel("b", (Bar(name, 1),)),), "")


def render_png(chart: Chart) -> tuple[str, list[str]]:
    """Return the picture, and the characters that were not drawn. Every process collects tests; only one draws."""
    from saasus_mcp.jobs.reports.charts import png_chart  # noqa: PLC0415 - matplotlib takes half a second to import

    return png_chart.render_png(chart)


def is_drawn_like(name: str, other: str) -> bool:
    """Return whether two names make the same picture."""
    return render_png(chart_of(name))[0] == render_png(chart_of(other))[0]


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_of_either_protocol_gets_the_picture_and_can_read_it_again(tmp_path: Path, era: Era) -> None:
    async with start_job_server(tmp_path) as on, connect_client(on.pipeline, era, extra_tools=on.tools) as client:
        result = await client.call_tool("job_contract_report", {"chart": "png", "language": "ja"})
        [image] = [each for each in result.content if isinstance(each, ImageContent)]
        assert image.mime_type == "image/png"
        Image.open(io.BytesIO(base64.b64decode(image.data))).verify()
        assert result.structured_content is not None
        assert "iVBOR" not in str(result.structured_content), "the model pays for the picture once"
        [content] = (await client.read_resource(result.structured_content["chart"])).contents
        assert isinstance(content, BlobResourceContents)
        assert (content.mime_type, content.blob) == ("image/png", image.data)
        again = await client.call_tool("job_status", {"job": result.structured_content["job"]})
        assert image in again.content


@pytest.mark.parametrize("job", ["job_contract_report", "job_metering_report"])
async def test_where_the_extra_is_missing_a_table_stands_in_its_place(
    tmp_path: Path, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "saasus_mcp.jobs.reports.charts.png_chart", None)
    args = {"chart": "png", "language": "ja", **({"from": "2026-10"} if "metering" in job else {})}
    async with (
        start_job_server(tmp_path) as on,
        connect_client(on.pipeline, "2026-07-28", extra_tools=on.tools) as client,
    ):
        result = await client.call_tool(job, args)
        assert result.structured_content is not None
        assert any("saasus-mcp[charts]" in note for note in result.structured_content["notes"])
        texts = [each.text for each in result.content if isinstance(each, TextContent)]
        assert texts[-1].startswith(("契約状況", "テナント別の利用量"))


async def test_no_chart_comes_unasked(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call("job_contract_report")
        assert answer.figure is None
        assert "chart" not in answer.text


@pytest.mark.parametrize(("times", "by"), [("2026-10", "month"), ("2026-10", "day")])
async def test_the_chart_of_usage_is_as_the_table_says(tmp_path: Path, times: str, by: str) -> None:
    async with start_job_server(tmp_path) as on:
        unit = {"metering_unit_name": "fax_pages", "count": 31_337}
        tenant = on.sandbox.state.rows("tenants")[0]
        for stamp in (1_791_000_000, 1_791_100_000):  # 3 and 4 October 2026
            on.sandbox.state.put("usage", (tenant["id"], "fax_pages", stamp), {**unit, "timestamp": stamp})
        args = {"from": times, "by": by, "meters": ["fax_pages"], "chart": "text"}
        answer = await on.call("job_metering_report", args)
        assert answer.figure is not None
        assert answer.figure.text.count("31,337") == (0 if by == "month" else 2)
        assert answer.figure.text.count("62,674") == (1 if by == "month" else 0)
        assert tenant["name"] in answer.figure.text


def test_east_asian_names_stay_in_their_columns() -> None:
    bars = [line for line in render_text(CHART).splitlines() if "/ 300" in line]
    assert len(bars) == len(NAMES)
    assert len({display_width(line[: line.index("█")]) for line in bars}) == 1
    assert display_width("株式ｶ\N{COMBINING ACUTE ACCENT}") == 5


def test_a_long_or_many_lined_name_stays_in_its_line() -> None:
    chart = Chart("t", (BarPanel("b", (Bar("長い" * 40, 1), Bar("two\nlines\u202e", 2))),), "")
    lines = render_text(chart).splitlines()
    assert len(lines) == 5
    assert max(map(display_width, lines)) < 80


@pytest.mark.parametrize(
    "name", ["青空", "\N{CJK UNIFIED IDEOGRAPH-20BB7}野家具", "주식회사 한빛", "葛\U000e0100飾", "$x^{", "cafe\u0301"]
)
def test_japanese_and_korean_names_are_drawn(name: str) -> None:
    assert render_png(chart_of(name))[1] == []
    assert is_drawn_like(name, "") is False, "it is not empty"


def test_a_character_without_a_glyph_is_written_as_its_code_point_and_reported() -> None:
    rocket = "Rocket \N{ROCKET}\N{CJK UNIFIED IDEOGRAPH-7ECF}"
    assert render_png(chart_of(rocket))[1] == ["\N{ROCKET}", "\N{CJK UNIFIED IDEOGRAPH-7ECF}"]
    assert is_drawn_like(rocket, "Rocket [U+1F680 U+7ECF]")
    many = "\N{ROCKET}" * 12
    assert not is_drawn_like(f"{many} (a)", f"{many} (b)"), "the end stays, which tells names apart"


def test_a_picture_reads_on_a_dark_page_because_it_brings_its_card() -> None:
    from saasus_mcp.jobs.reports.charts.png_chart import BACKGROUND  # noqa: PLC0415 - as above

    picture = Image.open(io.BytesIO(base64.b64decode(render_png(CHART)[0]))).convert("RGBA")
    middle = picture.getpixel((picture.width // 2, 12))
    assert middle == (*bytes.fromhex(BACKGROUND.removeprefix("#")), 255)
    assert picture.getchannel("A").getextrema() == (255, 255), "nothing shines through"
    assert picture.width <= 1000


def test_an_empty_chart_is_a_chart() -> None:
    empty = Chart("何もない", (BarPanel("b", ()),), "")
    assert render_png(empty)[0]
    assert render_png(Chart("何もない", (), ""))[0]
    assert render_text(empty).startswith("何もない")


LONG = "株式会社とても長い名前のホールディングス"


@pytest.mark.parametrize("months", [1, 2])
def test_tenants_of_one_name_or_none_are_distinguished_by_id(months: int) -> None:
    meter = MeteringUnit("orders", "Orders", uses_maximum=False)
    names = {
        "aaaaaaaa-1": "Same",
        "bbbbbbbb-2": "ＳＡＭＥ",
        "cccccccc-3": "",
        "dddddddd-4": "Other",
        "eeeeeeee-5": f"{LONG}東日本支社",
        "eeeeeeee-6": f"{LONG}西日本支社",
    }
    days = {f"2026-{10 + month}-01": 1 for month in range(months)}
    usages = [TenantUsage(tenant, name, meter, None, days) for tenant, name in names.items()]
    made = build_usage_chart(usages, "month", {"first": "2026-10-01", "last": "2026-10-31", "zone": "UTC"}, "en")
    [panel] = made.panels
    shown = [bar.name for bar in panel.bars] if isinstance(panel, BarPanel) else [line.name for line in panel.lines]
    assert shown[2:4] == ["(cccccccc-3)", "Other"]
    assert [name[-12:] for name in (*shown[:2], *shown[4:])] == [f"({id_})" for id_ in [*names][:2] + [*names][4:]]
    assert len(set(shown)) == len(names)
    text = render_text(made)
    assert all(name in text for name in shown), "the table cuts none of them short"


async def test_a_month_that_is_not_over_says_so(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        now = datetime.now(UTC)
        today, before = f"{now:%Y-%m-%d}", f"{now.replace(day=1) - timedelta(days=1):%Y-%m}"
        running = await on.call("job_metering_report", {"from": today[:7], "chart": "text"})
        assert running.figure is not None
        assert f"figures up to {today}" in running.figure.text
        assert "is not over" in " ".join((running.structured or {})["notes"])
        over = await on.call("job_metering_report", {"from": before, "chart": "text"})
        assert over.figure is not None
        assert "is not over" not in over.figure.text

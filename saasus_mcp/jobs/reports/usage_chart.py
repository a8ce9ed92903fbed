"""The chart of a metering report, with a panel for each metering unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message
from saasus_mcp.jobs.reports.charts.chart_model import Bar, BarPanel, Chart, LinePanel, Series
from saasus_mcp.jobs.reports.charts.text_chart import LINE_NAME_WIDTH, MAX_WIDTH, unique_labels
from saasus_mcp.jobs.reports.usage import Granularity, MeteringUnit, TenantUsage

MAX_PANELS = 4
MAX_SERIES = 7
MAX_BARS = 12


def build_usage_chart(
    usages: Sequence[TenantUsage],
    granularity: Granularity,
    bounds: Mapping[str, str],
    language: Language,
    running: Message | None = None,
) -> Chart:
    """Return a chart of the usage over time, or by tenant if there is only one day or month.

    Args:
        bounds: `first`, `last` and `zone` for the title.
        running: the note that the period is not over.
    """
    by_unit: dict[MeteringUnit, list[TenantUsage]] = defaultdict(list)
    for usage in usages:
        by_unit[usage.metering_unit].append(usage)
    builder = _PanelBuilder(usages, granularity, language)
    footer = [running] if running is not None else []
    if granularity == "month" and len(builder.times) == 1:
        footer.append(message("jobs_reports.chart_upper_count"))
    if omitted := tuple(unit.display_name for unit in list(by_unit)[MAX_PANELS:]):
        footer.append(message("jobs_reports.chart_omitted", units=omitted))
    return Chart(
        message("jobs_reports.chart_usage", **bounds).text(language),
        tuple(builder.panel(unit, some) for unit, some in list(by_unit.items())[:MAX_PANELS]),
        time_label=message("jobs_reports.chart_time").text(language),
        footer="\n".join(each.text(language) for each in footer),
    )


class _PanelBuilder:
    def __init__(self, usages: Sequence[TenantUsage], granularity: Granularity, language: Language) -> None:
        self.times = sorted({time for usage in usages for time in usage.by_period(granularity)})
        width = LINE_NAME_WIDTH if len(self.times) > 1 else MAX_WIDTH
        self._names = unique_labels({usage.tenant: usage.tenant_name for usage in usages}, width)
        self._granularity = granularity
        self._language = language

    def panel(self, unit: MeteringUnit, usages: Sequence[TenantUsage]) -> BarPanel | LinePanel:
        title = message("jobs_reports.chart_unit", name=unit.display_name, unit=unit.unit_name).text(self._language)
        if len(self.times) > 1:
            return LinePanel(title, tuple(self.times), self._series(unit, usages))
        return BarPanel(title, self._bars(unit, usages))

    def _bars(self, unit: MeteringUnit, usages: Sequence[TenantUsage]) -> tuple[Bar, ...]:
        most, rest = _split_by_rank(usages, MAX_BARS)
        shows_limit = self._granularity == "month"
        bars = [
            Bar(self._names[usage.tenant], usage.total, usage.upper_count if shows_limit else None) for usage in most
        ]
        if rest:
            bars.append(Bar(self._others(rest), unit.combine([usage.total for usage in rest])))
        return tuple(bars)

    def _series(self, unit: MeteringUnit, usages: Sequence[TenantUsage]) -> tuple[Series, ...]:
        most, rest = _split_by_rank(usages, MAX_SERIES)
        series = []
        for usage in most:
            counts = usage.by_period(self._granularity)
            series.append(Series(self._names[usage.tenant], tuple(counts.get(time, 0) for time in self.times)))
        if rest:
            by_usage = [usage.by_period(self._granularity) for usage in rest]
            values = tuple(unit.combine([counts.get(time, 0) for counts in by_usage]) for time in self.times)
            series.append(Series(self._others(rest), values))
        return tuple(series)

    def _others(self, rest: Sequence[TenantUsage]) -> str:
        return message("jobs_reports.chart_others", count=len(rest)).text(self._language)


def _split_by_rank(usages: Sequence[TenantUsage], limit: int) -> tuple[Sequence[TenantUsage], Sequence[TenantUsage]]:
    """Return the usages with the highest totals, and the others."""
    ranked = sorted(usages, key=lambda usage: -usage.total)
    return (ranked, []) if len(ranked) <= limit else (ranked[: limit - 1], ranked[limit - 1 :])

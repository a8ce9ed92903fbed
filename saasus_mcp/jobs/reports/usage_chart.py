"""The chart of a metering report: a panel for each meter."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from saasus_mcp.common.language import Language
from saasus_mcp.jobs.reports.charts.chart_model import Bar, BarPanel, Chart, LinePanel, Series
from saasus_mcp.jobs.reports.usage import Granularity, MeteringUnit, TenantUsage
from saasus_mcp.jobs.reports_wording import WORDS

MAX_PANELS = 4
MAX_SERIES = 7
MAX_BARS = 12


def build_usage_chart(
    usages: Sequence[TenantUsage], by: Granularity, named: Mapping[str, str], language: Language
) -> Chart:
    """Usage over time, or tenant by tenant where there is only one time.

    Args:
        named: what the title tells: `first`, `last` and `zone`.
    """
    words = WORDS[language]
    meters: dict[MeteringUnit, list[TenantUsage]] = defaultdict(list)
    for usage in usages:
        meters[usage.metering_unit].append(usage)
    called = _called(usages)
    times = sorted({time for usage in usages for time in usage.by_period(by)})
    shown = list(meters.items())[:MAX_PANELS]
    left_out = ", ".join(meter.display_name for meter in list(meters)[MAX_PANELS:])
    panels = [
        _lines(meter, some, by, times, words, called) if len(times) > 1 else _bars(meter, some, by, words, called)
        for meter, some in shown
    ]
    foot = [words["upper"]] if by == "month" and len(times) == 1 else []
    if left_out:
        foot.append(words["left_out"].format(units=left_out))
    return Chart(
        words["usage"].format(**named),
        tuple(panels),
        time_label=words["times"],
        footer=" ".join(foot),
    )


def _title(meter: MeteringUnit, words: Mapping[str, str]) -> str:
    return words["unit"].format(name=meter.display_name, unit=meter.unit_name)


def _called(usages: Iterable[TenantUsage]) -> dict[str, str]:
    """What each tenant is called: with the beginning of its id, where it has no name of its own."""
    names = {usage.tenant: usage.tenant_name for usage in usages}
    counts = Counter(names.values())
    return {id_: name if name and counts[name] == 1 else f"{name} ({id_[:8]})".strip() for id_, name in names.items()}


def _bars(
    meter: MeteringUnit, usages: list[TenantUsage], by: Granularity, words: Mapping[str, str], called: Mapping[str, str]
) -> BarPanel:
    most, rest = _split(usages, MAX_BARS)
    bars = [Bar(called[usage.tenant], usage.total, usage.upper_count if by == "month" else None) for usage in most]
    if rest:
        bars.append(Bar(words["others"].format(count=len(rest)), _joined(meter, [usage.total for usage in rest])))
    return BarPanel(_title(meter, words), tuple(bars))


def _lines(  # noqa: PLR0917 - what a chart is made of
    meter: MeteringUnit,
    usages: list[TenantUsage],
    by: Granularity,
    times: Sequence[str],
    words: Mapping[str, str],
    called: Mapping[str, str],
) -> LinePanel:
    most, rest = _split(usages, MAX_SERIES)
    lines = [Series(called[usage.tenant], tuple(usage.by_period(by).get(time, 0) for time in times)) for usage in most]
    if rest:
        counts = [usage.by_period(by) for usage in rest]
        values = tuple(_joined(meter, [count.get(time, 0) for count in counts]) for time in times)
        lines.append(Series(words["others"].format(count=len(rest)), values))
    return LinePanel(_title(meter, words), tuple(times), tuple(lines))


def _split(usages: list[TenantUsage], most: int) -> tuple[list[TenantUsage], list[TenantUsage]]:
    """Those with the most usage, and the others."""
    ranked = sorted(usages, key=lambda usage: -usage.total)
    return (ranked, []) if len(ranked) <= most else (ranked[: most - 1], ranked[most - 1 :])


def _joined(meter: MeteringUnit, counts: list[int]) -> int:
    return max(counts) if meter.uses_maximum else sum(counts)

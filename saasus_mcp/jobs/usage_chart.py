"""The chart of a metering report: a panel for each meter."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from saasus_mcp.catalog import Language
from saasus_mcp.jobs.charts.model import Bar, Bars, Chart, Line, Lines
from saasus_mcp.jobs.reports_wording import WORDS
from saasus_mcp.jobs.usage import By, Meter, Usage

MOST_PANELS = 4
MOST_LINES = 7
MOST_BARS = 12


def chart(usages: Sequence[Usage], by: By, named: Mapping[str, str], language: Language) -> Chart:
    """Usage over time, or tenant by tenant where there is only one time.

    Args:
        named: what the title tells: `first`, `last` and `zone`.
    """
    words = WORDS[language]
    meters: dict[Meter, list[Usage]] = defaultdict(list)
    for usage in usages:
        meters[usage.meter].append(usage)
    called = _called(usages)
    times = sorted({time for usage in usages for time in usage.by(by)})
    shown = list(meters.items())[:MOST_PANELS]
    left_out = ", ".join(meter.name for meter in list(meters)[MOST_PANELS:])
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
        time=words["times"],
        foot=" ".join(foot),
    )


def _title(meter: Meter, words: Mapping[str, str]) -> str:
    return words["unit"].format(name=meter.name, unit=meter.unit)


def _called(usages: Iterable[Usage]) -> dict[str, str]:
    """What each tenant is called: with the beginning of its id, where it has no name of its own."""
    names = {usage.tenant: usage.tenant_name for usage in usages}
    counts = Counter(names.values())
    return {id_: name if name and counts[name] == 1 else f"{name} ({id_[:8]})".strip() for id_, name in names.items()}


def _bars(meter: Meter, usages: list[Usage], by: By, words: Mapping[str, str], called: Mapping[str, str]) -> Bars:
    most, rest = _split(usages, MOST_BARS)
    bars = [Bar(called[usage.tenant], usage.total, usage.limit if by == "month" else None) for usage in most]
    if rest:
        bars.append(Bar(words["others"].format(count=len(rest)), _joined(meter, [usage.total for usage in rest])))
    return Bars(_title(meter, words), tuple(bars))


def _lines(  # noqa: PLR0917 - what a chart is made of
    meter: Meter, usages: list[Usage], by: By, times: Sequence[str], words: Mapping[str, str], called: Mapping[str, str]
) -> Lines:
    most, rest = _split(usages, MOST_LINES)
    lines = [Line(called[usage.tenant], tuple(usage.by(by).get(time, 0) for time in times)) for usage in most]
    if rest:
        counts = [usage.by(by) for usage in rest]
        values = tuple(_joined(meter, [count.get(time, 0) for count in counts]) for time in times)
        lines.append(Line(words["others"].format(count=len(rest)), values))
    return Lines(_title(meter, words), tuple(times), tuple(lines))


def _split(usages: list[Usage], most: int) -> tuple[list[Usage], list[Usage]]:
    """Those with the most usage, and the others."""
    ranked = sorted(usages, key=lambda usage: -usage.total)
    return (ranked, []) if len(ranked) <= most else (ranked[: most - 1], ranked[most - 1 :])


def _joined(meter: Meter, counts: list[int]) -> int:
    return max(counts) if meter.peak else sum(counts)

"""The results of several runs as tables: the median, and the least and the most of a run, in both languages."""

from __future__ import annotations

import math
import os
import platform
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from saasus_mcp.common.language import Language
from scripts.speed.measuring import AT_ONCE, MANY, USERS, Row, Rows
from scripts.speed.servers import EARLIER

Run = Mapping[str, Rows]


@dataclass(frozen=True, slots=True)
class Ratio:
    """What the official server takes of what the stand-in takes, measured in turns in one run: see docs/performance.md."""

    start: float
    p50: float
    rate: float


OFFICIAL_TO_STAND_IN = Ratio(start=0.96, p50=0.94, rate=0.93)
TO: Mapping[Language, str] = {"en": " to ", "ja": "〜"}
FIGURES = 3
"""Significant figures of a number below a thousand."""
TERMS: Mapping[str, tuple[str, str]] = {
    "ours": ("saasus-mcp", "saasus-mcp"),
    "official": ("the official server", "公式サーバー"),
    "stand_in": ("the stand-in", "代役のサーバー"),
    "other": ("the other server", "もう一方のサーバー"),
    "direct": ("signed httpx2 alone", "署名したhttpx2だけ"),
    "stdio": ("stdio", "stdio"),
    "http": ("HTTP", "HTTP"),
    "warm": ("warm", "キャッシュあり"),
    "cold": ("cold", "キャッシュなし"),
    "alone": ("one by one", "1件ずつ"),
    "together": (f"{AT_ONCE} at once", f"同時に{AT_ONCE}件"),
    "sdk": ("the SDK alone, its handler returns a constant", "SDKだけ(ハンドラーは定数を返す)"),
    "ours_alone": ("and everything of saasus-mcp, without the HTTP call of the API", "saasus-mcpのすべてを加える(APIのHTTP呼び出しを除く)"),
    "whole": ("and the HTTP call of the API", "APIのHTTP呼び出しも加える"),
    **{f"users {number:,}": (f"{number:,} users", f"ユーザー{number:,}人") for number in USERS},
}  # fmt: skip
HEADS: Mapping[str, tuple[tuple[str, str], Mapping[str, tuple[str, str]]]] = {
    "start": (("spawn to tools/list", "起動からtools/listまで"), {"ms": ("ms", "ms")}),
    "calls": (
        ("a small read", "小さな読み取り"),
        {"p50": ("p50 ms", "p50 ms"), "p99": ("p99 ms", "p99 ms"), "rate": ("calls/s", "件/秒")},
    ),
    "processor": (
        (f"processor time of a small read, {AT_ONCE} at once", f"小さな読み取りのCPU時間、同時に{AT_ONCE}件"),
        {"stdio": ("stdio, µs", "stdio、µs"), "http": ("HTTP, µs", "HTTP、µs")},
    ),
    "large": (
        ("a large read", "大きな読み取り"),
        {"p50": ("p50 ms", "p50 ms"), "block": ("longest wait of a ping, ms", "pingの最長の待ち時間、ms")},
    ),
    "memory": (
        ("memory, MiB", "メモリー、MiB"),
        {
            "listed": ("tools listed", "ツールの一覧の後"),
            "one": ("one call", "1件の呼び出しの後"),
            "many": (f"{MANY:,} calls", f"{MANY:,}件の呼び出しの後"),
        },
    ),
}
MEASURED: tuple[tuple[str, str], ...] = (("held to", "目標との比較"), ("measured", "測定値"), ("goal", "目標"))
CALIBRATED = ("by way of the stand-in", "代役のサーバーから換算")


@dataclass(frozen=True, slots=True)
class Promise:
    """A ratio or amount that this server is held to: what it is in both languages, its value in one run, and the goal."""

    what: tuple[str, str]
    value: float
    least: float | None = None
    most: float | None = None

    def goal(self, language: Language) -> str:
        """Return the goal as text, or an empty text."""
        bound = self.least if self.least is not None else self.most
        if bound is None:
            return ""
        english = language == "en"
        if self.least is not None:
            return f"at least {bound:g}" if english else f"{bound:g}以上"
        return f"at most {bound:g}" if english else f"{bound:g}以下"


def promises(run: Run) -> Iterator[Promise]:
    """Return what this server is held to, as far as the run has measured it."""
    yield from _beside_others(run)
    calls, large, memory = (run.get(name, {}) for name in ("calls", "large", "memory"))
    if calls:
        for way, goal in (("stdio", 1.0), ("http", 0.5)):
            rate = calls["ours", way, "together"]["rate"] / calls["direct", "together"]["rate"]
            yield Promise(
                _said("throughput to signed httpx2 alone", "httpx2だけに対する処理量", way, "together"),
                rate,
                least=goal,
            )
    for number, most in zip(USERS, (3.0, 2.5), strict=True):
        size = f"users {number:,}"
        if large:
            ours = large["ours", "stdio", size]
            yield Promise(
                _said("time to signed httpx2 alone", "httpx2だけに対する時間", size),
                ours["p50"] / large["direct", size]["p50"],
                most=most,
            )
            yield Promise(
                _said("ms for which the loop is blocked", "イベントループが止まるms", size), ours["block"], most=20
            )
    if memory:
        yield Promise(_said("MiB after one call", "1件の呼び出しの後のMiB"), memory[("ours",)]["one"], most=85)


def _beside_others(run: Run) -> Iterator[Promise]:
    """Return the ratios to the official server, measured or by way of the stand-in, and to the stand-in itself."""
    start, calls = run.get("start", {}), run.get("calls", {})
    names = {row[0] for row in (*start, *calls)}
    for name in ("official", "stand_in", "other"):
        if name in names:
            yield from _ratios(run, name, "", Ratio(1, 1, 1))
    if "stand_in" in names and "official" not in names:
        yield from _ratios(run, "stand_in", "official", OFFICIAL_TO_STAND_IN)


def _ratios(run: Run, name: str, shown: str, factor: Ratio) -> Iterator[Promise]:
    held = (shown or name) == "official"

    def what(english: str, japanese: str, *terms: str) -> tuple[str, str]:
        to = TERMS[shown or name]
        said = _said(f"{english}, to {to[0]}", f"{to[1]}に対する{japanese}", *terms)
        return (f"{said[0]}, {CALIBRATED[0]}", f"{said[1]}、{CALIBRATED[1]}") if shown else said

    if start := run.get("start"):
        ours, theirs = start["ours", EARLIER, "warm"]["ms"], start[name, "warm"]["ms"]
        yield Promise(what("start", "起動時間"), ours / (theirs * factor.start), most=0.7 if held else None)
    if calls := run.get("calls"):
        ours, theirs = calls["ours", "stdio", "together"]["rate"], calls[name, "stdio", "together"]["rate"]
        yield Promise(
            what("throughput", "処理量", "together"), ours / (theirs * factor.rate), least=1.0 if held else None
        )
        ours, theirs = calls["ours", "stdio", "alone"]["p50"], calls[name, "stdio", "alone"]["p50"]
        yield Promise(what("median", "中央値", "alone"), ours / (theirs * factor.p50), most=1.0 if held else None)


def _said(english: str, japanese: str, *terms: str) -> tuple[str, str]:
    return ", ".join((english, *(_term(each, "en") for each in terms))), "、".join(
        (japanese, *(_term(each, "ja") for each in terms))
    )


def _term(term: str, language: Language) -> str:
    return TERMS[term][language == "ja"] if term in TERMS else term


def _row(row: Row, language: Language) -> str:
    return ("、" if language == "ja" else ", ").join(_term(each, language) for each in row)


def cell(values: Sequence[float], language: Language) -> str:
    """Return the median of the runs, and the least and the most of one."""
    known = [each for each in values if not math.isnan(each)]
    if not known:
        return ""
    digits = max(0, FIGURES - len(f"{max(known):.0f}"))
    shown = [f"{each:,.{digits}f}" for each in (statistics.median(known), min(known), max(known))]
    return shown[0] if len(known) == 1 else f"{shown[0]} ({shown[1]}{TO[language]}{shown[2]})"


def tables(runs: Sequence[Run], language: Language, *, quiet: bool) -> str:
    """Return the tables of several runs for a page or the terminal."""
    parts = [_heading(len(runs), language, quiet=quiet)]
    for name, (head, columns) in HEADS.items():
        if name in runs[0]:
            lines = [
                [
                    _row(row, language),
                    *(
                        cell([run[name][row][each] for run in runs if each in run[name][row]], language)
                        for each in columns
                    ),
                ]
                for row in runs[0][name]
            ]
            parts.append(_table([head, *columns.values()], lines, language))
    held = list(zip(*map(promises, runs), strict=True))
    lines = [
        [each[0].what[language == "ja"], cell([one.value for one in each], language), each[0].goal(language)]
        for each in held
    ]
    parts.append(_table(MEASURED, lines, language))
    return "\n\n".join(parts) + "\n"


def _heading(runs: int, language: Language, *, quiet: bool) -> str:
    today, cores = datetime.now(UTC).date(), os.cpu_count()
    if language == "ja":
        beside = "" if quiet else "、ほかの処理も動いている状態"
        return f"{today}、Python {platform.python_version()}、{platform.system()}、{cores}コア{beside}、{runs}回の測定の中央値(かっこ内は最小と最大)。"
    beside = "" if quiet else ", other work beside it"
    times = "one run" if runs == 1 else f"median of {runs} runs (least to most)"
    return f"{today}, Python {platform.python_version()}, {platform.system()}, {cores} cores{beside}; {times}."


def _table(heads: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], language: Language) -> str:
    titles = [head[language == "ja"] for head in heads]
    lines = [f"| {' | '.join(titles)} |", "| --- |" + " ---: |" * (len(heads) - 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])

"""A chart of a few curves as an SVG, readable on a light page and on a dark one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 20, 60
COLOURS = ("#3b82c4", "#d97706", "#3f9a5c", "#b4539a")
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #333; }
.axis, .grid { stroke: #888; } .grid { opacity: .25; }
@media (prefers-color-scheme: dark) { text { fill: #ddd; } }"""


def chart(curves: Mapping[str, Mapping[int, float]], across: str, up: str) -> str:
    """Return the curves, sizes on a logarithmic axis, values from 0 on."""
    widest = max(size for points in curves.values() for size in points)
    highest = _round(max(value for points in curves.values() for value in points.values()))
    parts = [*_axes(widest, highest, across, up)]
    for place, (name, points) in enumerate(curves.items()):
        parts += _curve(place, name, [(_x(size, widest), _y(value, highest)) for size, value in points.items()])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        f"<title>{escape(up)}</title>\n<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _axes(widest: int, highest: float, across: str, up: str) -> Iterator[str]:
    for step in range(5):
        value = highest * step / 4
        y = _y(value, highest)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.0f}" y2="{y:.0f}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{value:,.0f}</text>'
    for power in range(int(math.log10(widest)) + 1):
        x = _x(10**power, widest)
        yield f'<text x="{x:.0f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{10**power:,}</text>'
    base = HEIGHT - BOTTOM
    yield f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>'
    yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 12}" text-anchor="middle">{escape(across)}</text>'
    yield f'<text transform="translate(16 {base / 2:.0f}) rotate(-90)" text-anchor="middle">{escape(up)}</text>'


def _curve(place: int, name: str, points: list[tuple[float, float]]) -> Iterator[str]:
    colour = COLOURS[place % len(COLOURS)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
    yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points)
    y = TOP + 10 + place * 24
    yield f'<rect x="{WIDTH - RIGHT + 20}" y="{y}" width="14" height="4" fill="{colour}"/>'
    yield f'<text x="{WIDTH - RIGHT + 42}" y="{y + 6}">{escape(name)}</text>'


def _x(size: int, widest: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log10(size) / max(1.0, math.log10(widest))


def _y(value: float, highest: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / highest


def _round(value: float) -> float:
    """Return the next number that four lines divide well."""
    unit: float = 10 ** math.floor(math.log10(value))
    return next(step * unit for step in (1, 2, 4, 8, 10) if step * unit >= value)

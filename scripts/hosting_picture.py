"""Draw docs/images/hosting-en.svg and hosting-ja.svg: the parts of a hosted server, and the way of an approval among them.

python -m scripts.hosting_picture [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

from saasus_mcp.common.language import Language

FOLDER = Path(__file__).resolve().parents[1] / "docs/images"
WIDTH, HEIGHT = 980, 560
LINE = 18
STYLE = """
text{font:14px system-ui,-apple-system,"Segoe UI","Hiragino Sans","Yu Gothic UI","Noto Sans JP","Noto Sans CJK JP",sans-serif;fill:#1b2230}
.s{font-size:12px;fill:#566072}.b{font-weight:650}.n{font-size:12px;font-weight:650;fill:#fff}
.page{fill:#f6f7f9}.box{fill:#fff;stroke:#c3cad6;stroke-width:1.5}.ours{stroke:#1f4f8f;stroke-width:2}.group{fill:none;stroke:#1f4f8f;stroke-dasharray:5 4}
.way{fill:none;stroke:#566072;stroke-width:1.5}.head{fill:#566072}.ask{stroke:#9a5b00;stroke-dasharray:6 4}.askhead,.dot{fill:#9a5b00}
@media (prefers-color-scheme:dark){text{fill:#e6e9ef}.s{fill:#aab3c2}.page{fill:#171b22}.box{fill:#222832;stroke:#4a5364}
.ours{stroke:#7fb0ee}.group{stroke:#7fb0ee}.way{stroke:#aab3c2}.head{fill:#aab3c2}.ask{stroke:#e0a040}.askhead,.dot{fill:#e0a040}.n{fill:#171b22}}
"""
Key = Literal[
    "title", "clients", "approvers", "proxy", "one", "two", "api", "provider", "database", "receivers", "watch",
    "mcp", "console", "any", "calls", "metrics",
    "step1", "step2", "step3", "step4",
]  # fmt: skip
TEXTS: Mapping[Key, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "title": (("A hosted server: clients, proxy, replicas, and what they use",), ("サーバーの構成: クライアント、プロキシ、レプリカと接続先",)),
    "clients": (("MCP clients", "Claude, Cursor, Codex …"), ("MCPクライアント", "Claude、Cursor、Codexなど")),
    "approvers": (("Approvers", "a browser, anywhere"), ("承認者", "ブラウザー(場所を問わない)")),
    "proxy": (("Reverse proxy", "TLS", "no /metrics"), ("リバースプロキシ", "TLS", "/metricsは非公開")),
    "one": (("saasus-mcp, replica 1", "one worker for each core"), ("saasus-mcp レプリカ1", "コアごとにワーカー1つ")),
    "two": (("saasus-mcp, replica 2", "policy, console, jobs"), ("saasus-mcp レプリカ2", "ポリシー、コンソール、ジョブ")),
    "api": (("SaaSus Platform API",), ("SaaSus Platform API",)),
    "provider": (("Identity provider", "Entra ID, Okta, Keycloak …"), ("IDプロバイダー", "Entra ID、Okta、Keycloakなど")),
    "database": (("PostgreSQL", "audit log, approvals, jobs"), ("PostgreSQL", "監査ログ、承認、ジョブ")),
    "receivers": (("Slack, Teams, e-mail …", "receivers of notices"), ("Slack、Teams、メールなど", "通知先")),
    "watch": (("Prometheus, log collector",), ("Prometheus、ログの収集先",)),
    "mcp": (("/mcp",), ("/mcp",)),
    "console": (("/console",), ("/console",)),
    "any": (("any request,", "any replica"), ("どのリクエストも", "どのレプリカへも")),
    "calls": (("what the policy allows",), ("許可された呼び出し",)),
    "metrics": (("/metrics, JSON lines",), ("/metrics、JSONの行",)),
    "step1": (("A call that needs an approval is stored, not sent.",), ("承認が必要な呼び出しは、送信せずに保存する",)),
    "step2": (("A notice links to it.",), ("通知にリンクが付く",)),
    "step3": (("A person reads it and decides on the console.",), ("人がコンソールで内容を確認して判断する",)),
    "step4": (("The client repeats the call, and it is sent once.",), ("クライアントが再度呼び出すと、1度だけ送信される",)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the picture with its place."""

    key: Key
    x: int
    y: int
    width: int
    height: int
    ours: bool = False

    @property
    def right(self) -> str:
        return f"{self.x + self.width} {self.middle}"

    @property
    def middle(self) -> int:
        return self.y + self.height // 2


CLIENTS, APPROVERS = Box("clients", 24, 96, 190, 64), Box("approvers", 24, 276, 190, 64)
PROXY = Box("proxy", 300, 166, 136, 96)
ONE, TWO = Box("one", 512, 116, 196, 64, ours=True), Box("two", 512, 236, 196, 64, ours=True)
API, PROVIDER = Box("api", 786, 40, 174, 52), Box("provider", 756, 132, 204, 58)
DATABASE, RECEIVERS = Box("database", 756, 232, 204, 58), Box("receivers", 756, 340, 204, 58)
WATCH = Box("watch", 440, 372, 240, 44)
BOXES = (CLIENTS, APPROVERS, PROXY, ONE, TWO, API, PROVIDER, DATABASE, RECEIVERS, WATCH)
STEP_PLACES = ((40, 496), (40, 528), (500, 496), (500, 528))
GROUP = (492, 84, 236, 240)
WAYS: tuple[tuple[str, Key | None, int, int], ...] = (
    (f"M{CLIENTS.right}C256 128 256 196 298 196", "mcp", 284, 152),
    (f"M{APPROVERS.right}C256 308 256 232 298 232", "console", 290, 292),
    ("M436 200C466 200 466 148 510 148", "any", 398, 290),
    ("M436 228C466 228 466 268 510 268", None, 0, 0),
    ("M728 140C760 140 744 66 784 66", "calls", 690, 62),
    ("M728 161H754", None, 0, 0),
    ("M728 261H754", None, 0, 0),
    ("M696 324C696 360 722 369 754 369", None, 0, 0),
    ("M560 372V326", "metrics", 490, 350),
)


def picture(language: Language) -> str:
    """Return the picture in a language."""
    at = 0 if language == "en" else 1
    parts = [*_frame(language, at), *_ways(at), *(part for box in BOXES for part in _box(box, at)), *_approval(at)]
    return "\n".join([*parts, "</svg>", ""])


def _frame(language: Language, at: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" lang="{language}">'
        f"<title>{escape(TEXTS['title'][at][0])}</title><style>{STYLE}</style>"
    )
    for name, style in (("a", "head"), ("b", "askhead")):
        yield (
            f'<defs><marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            f'<path class="{style}" d="M0 0L8 4L0 8z"/></marker></defs>'
        )
    yield f'<rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="10"/>'
    x, y, width, height = GROUP
    yield f'<rect class="group" x="{x}" y="{y}" width="{width}" height="{height}" rx="12"/>'


def _ways(at: int) -> Iterator[str]:
    for path, key, x, y in WAYS:
        yield f'<path class="way" d="{path}" marker-end="url(#a)"/>'
        if key is not None and x:
            yield from _lines(TEXTS[key][at], x, y, "s")


def _box(box: Box, at: int) -> Iterator[str]:
    style = "box ours" if box.ours else "box"
    yield f'<rect class="{style}" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="9"/>'
    lines = TEXTS[box.key][at]
    first = box.middle + 5 - LINE * (len(lines) - 1) // 2
    for number, line in enumerate(lines):
        yield from _lines((line,), box.x + box.width // 2, first + number * LINE, "s" if number else "b")


def _lines(lines: tuple[str, ...], x: int, y: int, style: str, anchor: str = "middle") -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f'<text class="{style}" x="{x}" y="{y + number * 16}" text-anchor="{anchor}">{escape(line)}</text>'


def _approval(at: int) -> Iterator[str]:
    """Yield the way of an approval, in steps."""
    yield '<path class="way ask" d="M858 398C858 448 119 470 119 342" marker-end="url(#b)"/>'
    for number, (x, y) in enumerate(((741, 282), (714, 378), (119, 372), (232, 112)), start=1):
        yield f'<circle class="dot" cx="{x}" cy="{y}" r="10"/><text class="n" x="{x}" y="{y + 4}" text-anchor="middle">{number}</text>'
    steps: tuple[Key, ...] = ("step1", "step2", "step3", "step4")
    for number, key in enumerate(steps):
        x, y = STEP_PLACES[number]
        yield (
            f'<circle class="dot" cx="{x}" cy="{y}" r="10"/><text class="n" x="{x}" y="{y + 4}" text-anchor="middle">{number + 1}</text>'
        )
        yield from _lines(TEXTS[key][at], x + 20, y + 5, "t", "start")


def main() -> int:
    languages: tuple[Language, ...] = ("en", "ja")
    stale = (
        [each for each in languages if _file(each).read_text(encoding="utf-8") != picture(each)]
        if "--check" in sys.argv[1:]
        else []
    )
    if "--check" not in sys.argv[1:]:
        for each in languages:
            _file(each).write_text(picture(each), encoding="utf-8")
    return 1 if stale else 0


def _file(language: Language) -> Path:
    return FOLDER / f"hosting-{language}.svg"


if __name__ == "__main__":
    sys.exit(main())

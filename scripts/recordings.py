"""Recordings of real sessions in the sandbox for the documentation, as SVG: the demo, animated, and what `install` shows.

`make recordings` makes them again. An SVG with CSS plays wherever a picture is shown, and holds its text as text.
"""

from __future__ import annotations

import html
import os
import pty
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from wcwidth import wcwidth

from saasus_mcp.common.language import Language

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
PROGRAM = Path(sys.executable).with_name("saasus-mcp")
SCENES = (2, 3, 8, 9, 10)
"""The scenes of the demo that tell its story."""
COLUMNS, ROWS = 96, 26
CELL, LINE, PADDING, BAR = 8.2, 20, 20, 34
READING = {"note": 1.6, "assistant": 1.1, "server": 0.8, "person": 2.2, "more": 0.12, "title": 0.9}
"""Seconds after a line, by who speaks."""
HOLD = 5.0
SPEAKERS = {"90": "note", "36": "assistant", "32": "server", "33": "person"}
CONTINUED = re.compile(r" {6}[^ |]")
"""How a row of the demo begins that continues the one before."""
STYLE = re.compile(r"\x1b\[([0-9;]*)m")
CLASSES = {"1": "b", "90": "n", "36": "a", "32": "s", "33": "p", "31": "r"}
LABELS: Mapping[Language, Mapping[str, str]] = {
    "en": {"demo": "An assistant at work in the sandbox", "install": "What install shows before it writes"},
    "ja": {"demo": "サンドボックスでのアシスタントの作業", "install": "installが書き込む前に表示する内容"},
}
CSS = """
text{font:13.5px ui-monospace,SFMono-Regular,Consolas,'DejaVu Sans Mono','Noto Sans Mono CJK JP',monospace;fill:#e6e9ef;white-space:pre}
.b{font-weight:700}.n{fill:#a3adbd}.a{fill:#8ab6f2;font-weight:700}.s{fill:#7fd5a0;font-weight:700}.p{fill:#f0c267;font-weight:700}.r{fill:#ff9b92}
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A line on the screen: its styled pieces, and how long it stands before the next."""

    pieces: tuple[tuple[str, str], ...]
    seconds: float = 0.0


def main() -> None:
    """Record everything in both languages."""
    for language in LABELS:
        _write(f"recording-{language}", language, "demo", _story(_session("demo", "--lang", language)))
        shown = _session("install", "cursor", "--sandbox", "--lang", language, command="uvx saasus-mcp", answer=b"y\n")
        typed = Line((("n", "$ "), ("b", "uvx saasus-mcp install cursor --sandbox")))
        lines = [Line(()) if not text else line for text in shown for line in _wrapped(text)]
        _write(f"install-{language}", language, "install", [typed, Line(()), *lines])


def _session(*words: str, command: str = "", answer: bytes = b"") -> list[str]:
    """Run a command of this program in a terminal and an empty home, and return the lines that a person sees."""
    with tempfile.TemporaryDirectory() as home:
        pid, terminal = pty.fork()
        if pid == 0:
            settings = {"HOME": home, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "PATH": os.environ["PATH"]}
            extra = ["--command", command] if command else []
            os.chdir(home)
            os.execve(PROGRAM, [str(PROGRAM), *words, *extra], settings)  # noqa: S606 - this program, without a shell
        said = b""
        while True:
            try:
                piece = os.read(terminal, 4096)
            except OSError:  # the terminal of a process that has ended
                break
            if not piece:
                break
            said += piece
            if answer and said.rstrip().endswith(b"]:"):
                os.write(terminal, answer)
                answer = b""
        os.close(terminal)
        os.waitpid(pid, 0)
    text = said.decode().replace("\r\n", "\n").replace(home, "~")
    return text.rstrip().split("\n")


def _story(lines: Iterable[str]) -> list[Line]:
    """Return the chosen scenes of the demo, each line with its pause."""
    told: list[Line] = []
    chosen = False
    for text in _unwrapped(lines):
        plain = STYLE.sub("", text)
        if "===" in plain and told:
            break  # the second era repeats the story
        title = re.match(r" ?(\d+)\. (.*)", plain)
        if title:
            chosen = int(title[1]) in SCENES
            if chosen:
                told += [Line(()), Line((("b", title[2]),), READING["title"])]
        elif chosen and plain.strip():
            told += _spoken(text, plain)
    return told[1:]


def _unwrapped(lines: Iterable[str]) -> Iterator[str]:
    """Yield what the demo says, with the rows of one JSON text put together again."""
    said = ""
    for line in lines:
        if "{" in said and CONTINUED.match(line):
            said += f" {line.strip()}"
            continue
        yield said
        said = line
    yield said


def _spoken(text: str, plain: str) -> Iterator[Line]:
    """Yield what one line of the demo takes on the screen; of an answer in JSON, only the beginning."""
    found = STYLE.search(text)
    speaker = SPEAKERS.get(found[1], "more") if found else "more"
    if speaker in {"server", "assistant"} and "{" in plain and _width(plain) > COLUMNS:
        text = _cut(text, COLUMNS - 1) + "…"
    lines = list(_wrapped(text))
    for line in lines[:-1]:
        yield Line(line.pieces, READING["more"])
    yield Line(lines[-1].pieces, READING[speaker])


def _width(text: str) -> int:
    return sum(max(wcwidth(char), 0) for char in text)


def _cut(text: str, width: int) -> str:
    """Return the beginning of a styled text that fits."""
    room, kept = width, ""
    for part in re.split(r"(\x1b\[[0-9;]*m)", text):
        if STYLE.fullmatch(part):
            kept += part
            continue
        for char in part:
            room -= max(wcwidth(char), 0)
            if room < 0:
                return kept
            kept += char
    return kept


def _wrapped(text: str) -> Iterator[Line]:
    """Yield the lines that a text takes; further ones are indented like the first."""
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    kind, pieces, room = "", list[tuple[str, str]](), COLUMNS
    for part in re.split(r"(\x1b\[[0-9;]*m)", text):
        style = STYLE.fullmatch(part)
        if style:
            kind = CLASSES.get(style[1], "") if style[1] not in {"", "0"} else ""
            continue
        for word in re.findall(r"[\x21-\x7e]+ *| +|.", part):
            if _width(word.rstrip()) > room and pieces:
                yield Line(tuple(pieces))
                pieces, room = [("", indent)], COLUMNS - len(indent)
            pieces.append((kind, word))
            room -= _width(word)
    yield Line(tuple(pieces))


def _write(name: str, language: Language, kind: str, lines: list[Line]) -> None:
    moving = any(line.seconds for line in lines)
    rows = min(len(lines), ROWS) if moving else len(lines)
    width, height = round(COLUMNS * CELL + 2 * PADDING), rows * LINE + 2 * PADDING + BAR
    label = html.escape(LABELS[language][kind])
    clip = f'<clipPath id="screen"><rect x="0" y="{BAR}" width="{width}" height="{height - BAR - 8}"/></clipPath>'
    dots = "".join(f'<circle cx="{20 + 18 * dot}" cy="{BAR // 2}" r="5" fill="#323b4a"/>' for dot in range(3))
    text = "\n".join(_text(number, line) for number, line in enumerate(lines))
    (IMAGES / f"{name}.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{label}" lang="{language}"><style>{CSS}{_motion(lines) if moving else ""}</style>{clip}'
        f'<rect width="{width}" height="{height}" rx="10" fill="#12161d"/>{dots}'
        f'<text x="{width // 2}" y="{BAR // 2 + 5}" text-anchor="middle" class="n">saasus-mcp</text>'
        f'<g clip-path="url(#screen)"><g class="roll">\n{text}\n</g></g></svg>\n',
        encoding="utf-8",
    )


def _text(number: int, line: Line) -> str:
    merged: list[tuple[str, str]] = []
    for kind, said in line.pieces:
        if merged and merged[-1][0] == kind:
            merged[-1] = (kind, merged[-1][1] + said)
        else:
            merged.append((kind, said))
    spans = "".join(
        f'<tspan class="{kind}">{html.escape(said)}</tspan>' if kind else html.escape(said) for kind, said in merged
    )
    return f'<text id="l{number}" x="{PADDING}" y="{BAR + PADDING + 13 + number * LINE}" xml:space="preserve">{spans}</text>'


def _motion(lines: list[Line]) -> str:
    """Return the style that shows each line at its time and rolls the screen; without motion, the end is shown."""
    begins = [0.0, *accumulate(line.seconds for line in lines)]
    total = begins[-1] + HOLD
    share = [100 * begin / total for begin in begins]
    rolled = [max(0, number + 1 - ROWS) * LINE for number in range(len(lines))]
    css = [f".roll{{transform:translateY(-{rolled[-1]}px)}}", "@media (prefers-reduced-motion: no-preference){"]
    for number in range(len(lines)):
        at = share[number]
        css.append(f"#l{number}{{animation:l{number} {total:.2f}s infinite step-end}}")
        css.append(f"@keyframes l{number}{{0%{{opacity:{0 if at else 1}}}{at:.2f}%{{opacity:1}}}}")
    steps = "".join(
        f"{at:.2f}%{{transform:translateY(-{far}px)}}" for at, far in zip(share, rolled, strict=False) if far
    )
    css.append(
        f".roll{{animation:roll {total:.2f}s infinite step-end}}@keyframes roll{{0%{{transform:none}}{steps}}}}}"
    )
    return "".join(css)


if __name__ == "__main__":
    main()

"""Run servers under load, restarts and hostile clients, and write the tables of docs/performance.md: all of them from this run.

    make load    or: python -m scripts.load

It starts a PostgreSQL server of its own. Where a test fails, or a table has no row of some run, the pages stay as they are.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # where it is not run as a module

from saasus_mcp.common.language import Language  # noqa: E402 - after the path
from scripts.with_postgres import VARIABLE, temporary_server  # noqa: E402 - as above

SIZE, REPORT = "SAASUS_MCP_TEST_LOAD", "SAASUS_MCP_TEST_LOAD_REPORT"
"""Variables of the tests: how many clients and how many calls of each, and the file that gets the rows."""
CLIENTS, CALLS = 32, 25
P99_GOAL_SECONDS = 0.250
"""99 of 100 small reads of one caller are answered within it, whatever another caller does."""
TESTS = (
    "tests/hosting/replicas/test_load.py",
    "tests/hosting/replicas/test_restarts.py",
    "tests/hosting/limits/test_fair_shares.py",
)
PAGES: Mapping[Language, Path] = {"en": ROOT / "docs/performance.md", "ja": ROOT / "docs/performance.ja.md"}
BEGIN, END = "<!-- made by make load -->\n", "<!-- end of make load -->\n"
TERMS: Mapping[str, tuple[str, str]] = {
    "one": ("one server", "サーバー1台"),
    "two": ("two servers", "2台"),
    "legacy": ("sessions", "セッション"),
    "2026-07-28": ("2026-07-28", "2026-07-28"),
    "nobody": ("no sign-in", "サインインなし"),
    "tokens": ("tokens", "トークン"),
    "jwts": ("JWTs", "JWT"),
    "killed": ("one is killed", "1台を強制終了"),
    "rolling": ("restarted one after the other", "順次再起動"),
    "database fast": ("database restarted three times (`fast`)", "データベースを3回再起動(`fast`)"),
    "database immediate": ("database restarted three times (`immediate`)", "データベースを3回再起動(`immediate`)"),
    "SQLite": ("SQLite", "SQLite"),
    "PostgreSQL": ("PostgreSQL", "PostgreSQL"),
    "nothing": ("nothing", "何もしない"),
    "streams": ("opens streams", "ストリームを開く"),
    "streams opened again": ("opens streams again and again", "ストリームを開き直し続ける"),
    "wrong tokens": ("sends wrong tokens", "誤ったトークンを送る"),
    "sign-in pages": ("requests the sign-in page", "サインイン画面を要求し続ける"),
    "static files": ("requests static files", "静的ファイルを要求し続ける"),
    "health checks": ("requests health checks", "ヘルスチェックを要求し続ける"),
    "sessions": ("opens sessions", "セッションを開く"),
    "forms without a token": ("sends forms without a token", "トークンなしでフォームを送る"),
    "bodies without a token": ("sends bodies without a token", "トークンなしで本文を送る"),
    "bodies that never come": ("sends bodies that never end", "本文を送り終えない"),
    "silent sockets": ("opens connections and is silent", "接続して何も送らない"),
    "half heads": ("sends half of a request head", "ヘッダーを途中まで送る"),
    "slow reads of the API": ("makes slow reads of the API", "APIの遅い読み取りを呼び出す"),
    "lists of wrong items": ("sends large lists of wrong items", "誤った値の大きなリストを送る"),
    "lists of valid items": ("sends large lists of valid items", "正しい値の大きなリストを送る"),
    "expressions": ("sends expensive expressions", "重い式を送る"),
    "starts of jobs": ("starts jobs", "ジョブを起動する"),
    "refused calls with large arguments": ("makes refused calls with large arguments", "大きな引数で、拒否される呼び出しをする"),
    "lists of tools": ("lists tools", "ツールの一覧を要求する"),
    "small reads": ("makes small reads", "小さな読み取りをする"),
}  # fmt: skip
HEADS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "load": (
        ("run", "測定"),
        ("calls", "呼び出し"),
        ("failed", "失敗"),
        ("unknown", "不明"),
        ("twice", "二重"),
        ("seconds", "秒"),
        ("calls/s", "件/秒"),
        ("p50 ms", "p50 ms"),
        ("p99 ms", "p99 ms"),
    ),
    "shares": (
        ("what another caller does", "別の呼び出し元の行動"),
        ("small reads", "小さな読み取り"),
        ("p50 ms", "p50 ms"),
        ("p99 ms", "p99 ms"),
        ("max ms", "最大ms"),
        ("p99 before, ms", "その前のp99 ms"),
        ("its requests/s", "その要求/秒"),
    ),
}
Row = tuple[str, tuple[str, ...], tuple[str, ...]]
"""The table, what the run was, as keys of TERMS, and the cells."""


def write_row(file: Path, table: str, run: Sequence[str], cells: Sequence[str]) -> None:
    """Add a row of a test to the file of this run."""
    with file.open("a", encoding="utf-8") as report:
        report.write(json.dumps([table, run, cells]) + "\n")


def read_rows(file: Path) -> list[Row]:
    """Return the rows of this run."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [(table, tuple(run), tuple(cells)) for table, run, cells in map(json.loads, lines)]


def describe_machine(language: Language) -> str:
    """Return where and when a run begins, and how busy the machine is before it."""
    date, python, system = datetime.now(UTC).date().isoformat(), platform.python_version(), platform.system()
    cores, load = os.cpu_count(), f"{os.getloadavg()[0]:.1f}"
    if language == "en":
        return f"{date}, Python {python}, {system}, {cores} cores, load average before it {load}; one run.\n"
    return f"{date}、Python {python}、{system}、{cores}コア、開始前のロードアベレージ{load}。1回の測定です。\n"


def tables(rows: Sequence[Row], language: Language, machine: str) -> str:
    """Return what the page says of a run on a machine."""
    at, said = (0 if language == "en" else 1), machine
    for table, heads in HEADS.items():
        cells = [[_run(run, at), *values] for name, run, values in rows if name == table]
        lines = [[head[at] for head in heads], ["---", *("---:" for _ in heads[1:])], *cells]
        said += "\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
    return said


def _run(run: Sequence[str], at: int) -> str:
    return (", ", "、")[at].join(TERMS[key][at] for key in run)


def write_pages(rows: Sequence[Row], pages: Mapping[Language, Path], machines: Mapping[Language, str]) -> None:
    """Replace the tables of the pages."""
    for language, page in pages.items():
        head, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        page.write_text(
            head + begin + tables(rows, language, machines[language]) + END + rest.partition(END)[2], encoding="utf-8"
        )


def main() -> int:
    languages: tuple[Language, ...] = ("en", "ja")
    machines = {language: describe_machine(language) for language in languages}
    with tempfile.TemporaryDirectory(prefix="saasus-mcp-load-") as folder, temporary_server() as database:
        file = Path(folder) / "rows"
        env = {**os.environ, VARIABLE: database.address, SIZE: f"{CLIENTS}x{CALLS}", REPORT: str(file)}
        command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "--exhaustive", *TESTS]
        status = subprocess.run(command, check=False, cwd=ROOT, env=env).returncode  # noqa: S603 - ours
        rows = read_rows(file)
    print(tables(rows, "en", machines["en"]))
    if status == 0:
        write_pages(rows, PAGES, machines)
    else:
        print("A test failed, so the pages are as they were.")
    return status


if __name__ == "__main__":
    sys.exit(main())

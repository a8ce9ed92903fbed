"""`saasus-mcp job` runs a job, asks at the terminal, and writes its secrets to a private file."""

from __future__ import annotations

import csv
import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Terminal, run_command

TENANT = "bc725811-66d9-5ed0-b358-2087b58f8c2a"
needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a thing of Unix")


def lines(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def report_of(screen: str) -> dict[str, Any]:
    """Return the report that a job printed on a screen, indented."""
    report = json.loads(screen[screen.rindex("\n{\n") :])
    assert isinstance(report, dict)
    return report


def test_the_report_goes_to_standard_output_and_the_table_to_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    ran = run_command("job", "export_users", "--sandbox", "--output", str(file))
    assert ran.status == 0, ran.err
    assert len(lines(file)) == json.loads(ran.out)["counts"]["rows"]
    assert os.name == "nt" or stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_chart_goes_to_a_file_and_a_table_in_its_place_to_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "contracts.png"
    ran = run_command("job", "contract_report", "--sandbox", "--lang", "ja", "--chart", str(file))
    assert ran.status == 0, ran.err
    assert file.read_bytes().startswith(b"\x89PNG")
    assert json.loads(ran.out)["status"] == "done"
    ran = run_command("job", "contract_report", '{"chart": "text"}', "--sandbox")
    assert "Contracts: fixed prices by plan\n" in ran.err
    refused = run_command("job", "export_users", "--sandbox", "--chart", str(tmp_path / "no.png"))
    assert "job_export_users has no such argument" in refused.err


def test_settings_are_saved_readably_and_compared_by_file(tmp_path: Path) -> None:
    file, other = tmp_path / "before.json", tmp_path / "other.json"
    assert run_command("job", "export_settings", "--sandbox", "--output", str(file)).status == 0
    text = file.read_text(encoding="utf-8")
    assert text.count("\n") > 500, "a line a value, for people and their tools to compare"
    other.write_text(text.replace("https://orders.example.com/callback", "https://x.example.com/"), encoding="utf-8")
    compared = run_command("job", "compare_settings", "--document", str(file), "--other", str(other), "--sandbox")
    assert json.loads(compared.out)["counts"]["differs"] == 1
    live = run_command("job", "compare_settings", "--document", str(file), "--sandbox")
    assert json.loads(live.out)["records"] == []


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("mine", encoding="utf-8")
    ran = run_command("job", "export_users", "--sandbox", "--output", str(file))
    assert (ran.status, file.read_text(encoding="utf-8")) == (1, "mine")
    assert "exists already" in ran.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("nonsense",), 'There is no job "nonsense". Jobs: export_users'),
        (("exprot_users",), 'There is no job "exprot_users". Nearest: export_users'),
        (("export_users", '{"format": "xml"}'), "format:"),
        (("export_users", '{"colour": 1}'), "colour: job_export_users has no such argument"),
        (("export_users", '{"colour": 1}'), "`saasus-mcp tools job_export_users` shows the arguments."),
        (("export_users", "{"), "not valid JSON"),
        (("export_users", "[]"), "not an object"),
        (("compare_settings", "--document", "none-such.json"), "none-such.json cannot be read"),
        (("import_users", "--csv", "none-such.csv"), "none-such.csv cannot be read"),
    ],
)
def test_an_impossible_request_is_reported_in_one_line(args: tuple[str, ...], said: str) -> None:
    ran = run_command("job", *args, "--sandbox")
    assert (ran.status, ran.out) == (1, "")
    assert said in ran.err


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "empty.csv"
    file.write_text("\n", encoding="utf-8")
    ran = run_command("job", "import_users", "--csv", str(file), "--sandbox")
    assert (ran.status, ran.out) == (1, "")
    assert f"{file} is empty." in ran.err


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "line 2, email: “x” is not a valid e-mail address; tenant_name: there is no tenant “y”"),
        (
            "ja",
            "2行目、email(メールアドレス): 「x」は正しいメールアドレスではありません。tenant_name(テナント名): 「y」というテナントはありません",
        ),
    ],
)
def test_a_wrong_line_is_explained_in_the_readers_language_and_no_line_begins_with_a_blank(
    tmp_path: Path, lang: str, said: str
) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text("email,tenant_name\nx,y\n", encoding="utf-8")
    err = run_command("job", "import_users", "--csv", str(file), "--sandbox", "--lang", lang).err
    assert said in err.splitlines()
    assert not any(line.startswith(" ") for line in err.splitlines())


def test_where_nobody_can_be_asked_the_plan_waits_for_approval(tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_text(f"email,tenant_id\nnew@example.com,{TENANT}\n", encoding="utf-8")
    ran = run_command("job", "import_users", "--sandbox", "--csv", str(file))
    assert ran.status == 4
    assert re.search(r"saasus-mcp approve \w{4}-\w{4}", ran.err)


def test_a_job_that_the_policy_denies_has_an_exit_status_of_its_own(tmp_path: Path) -> None:
    given = json.dumps({"csv": f"email,tenant_id\na@example.com,{TENANT}"})
    ran = run_command("job", "import_users", "--mode", "read-only", given, "--sandbox")
    assert (ran.status, ran.out) == (4, "")
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nrules:\n  - {name: roles, tools: [auth_get_roles], then: allow}\n", encoding="utf-8")
    assert run_command("job", "export_users", "--sandbox", "--policy", str(policy)).status == 4


def test_with_an_output_file_only_the_summary_is_printed(tmp_path: Path) -> None:
    ran = run_command("job", "export_users", "--sandbox", "--output", str(tmp_path / "users.csv"))
    assert {"csv", "records", "document"}.isdisjoint(json.loads(ran.out))
    assert json.loads(ran.out)["counts"]["rows"] > 0


def test_outside_a_terminal_progress_is_written_in_lines() -> None:
    ran = run_command("job", "contract_report", "--sandbox")
    total = json.loads(ran.out)["total"]
    assert f"{total} of {total} tenants\n" in ran.err
    assert "\r" not in ran.err


ENCODINGS = {
    "utf-8-sig": "UTF-8",
    "cp932": "CP932 (Shift_JIS)",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "euc_jp": "EUC-JP",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("mark", [",", "\t"])
def test_files_saved_by_a_spreadsheet_are_read(tmp_path: Path, encoding: str, mark: str) -> None:
    file = tmp_path / "people.csv"
    rows = [("メールアドレス", "テナント名"), ("minami.aozora@example.jp", "株式会社青空商事")]
    file.write_bytes("\r\n".join(mark.join(row) for row in rows).encode(encoding))
    ran = run_command("job", "import_users", "--sandbox", "--csv", str(file))
    assert (ran.status, json.loads(ran.out)["counts"]) == (0, {"skipped": 1})
    told = "comma-separated" if mark == "," else "tab-separated"
    columns = "メールアドレス → email, テナント名 → tenant_name"
    [note] = json.loads(ran.out)["notes"]
    assert note == f"The list was read as: {ENCODINGS[encoding]}, {told}, 1 row; columns: {columns}."
    assert (f"people.csv was read as {ENCODINGS[encoding]}." in ran.err) == (encoding != "utf-8-sig")


def test_a_workbook_is_written_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "people.xlsx"
    wrote = run_command("job", "export_users", "--sandbox", "--output", str(file), "--lang", "ja")
    assert wrote.status == 0
    ran = run_command("job", "import_users", "--sandbox", "--csv", str(file))
    counts = json.loads(ran.out)["counts"]
    assert (ran.status, counts) == (0, {"skipped": json.loads(wrote.out)["counts"]["rows"]})
    assert "was read as the first sheet of an Excel workbook." in ran.err


def test_a_list_in_an_unknown_encoding_says_how_to_save_it(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes("email,tenant_name\na@example.jp,ﾔﾏﾀﾞ\n".encode("cp932"))
    ran = run_command("job", "import_users", "--sandbox", "--csv", str(file), "--lang", "ja")
    assert (ran.status, ran.out) == (1, "")
    assert "CSV UTF-8" in ran.err


def test_a_row_that_is_left_undone_shows_in_the_exit_status(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(f"email,tenant_id\nminami.aozora@example.jp,{TENANT}\n", encoding="utf-8")
    there = run_command("job", "import_users", "--sandbox", "--csv", str(file))
    assert (there.status, json.loads(there.out)["counts"]) == (0, {"skipped": 1})
    file.write_text(f"email,tenant_id\nno address,{TENANT}\n", encoding="utf-8")
    left = run_command("job", "import_users", '{"on_mistake": "skip"}', "--sandbox", "--csv", str(file))
    assert (left.status, json.loads(left.out)["counts"]) == (3, {"left_out": 1})


@needs_terminal
def test_ctrl_c_stops_a_job_between_rows_and_the_report_says_what_was_done(tmp_path: Path) -> None:
    listed = tmp_path / "new.csv"
    people = "".join(f"terminal-{number},{TENANT}\n" for number in range(400))
    listed.write_text(f"sign_in_id,tenant_id\n{people}", encoding="utf-8")
    with Terminal("job", "import_users", "--sandbox", "--csv", str(listed)) as screen:
        screen.wait_for("400 people")
        screen.type("400 people")
        screen.wait_for("/400")
        screen.wait_for("people, ")
        screen.interrupt()
        assert screen.wait() == 130
        report = report_of(screen.output)
    assert report["status"] == "cancelled"
    assert report["counts"]["not_begun"] > 0
    assert set(report["counts"]) <= {"applied", "not_begun"}
    assert sum(report["counts"].values()) == 400


@needs_terminal
def test_the_bar_ends_at_the_total() -> None:
    with Terminal("job", "contract_report", "--sandbox") as screen:
        assert screen.wait() == 0
        total = report_of(screen.output)["total"]
    assert f"{total}/{total}" in screen.output


@needs_terminal
def test_a_person_says_yes_once_and_takes_the_passwords_out(tmp_path: Path) -> None:
    listed, secrets = tmp_path / "new.csv", tmp_path / "secrets.csv"
    listed.write_text(f"sign_in_id,tenant_id\nterminal-7,{TENANT}\n-8,{TENANT}\n", encoding="utf-8")
    with Terminal("job", "import_users", "--sandbox", "--csv", str(listed)) as screen:
        screen.wait_for("New accounts: 2 people")
        screen.wait_for("[y/N]")
        screen.type("y")
        assert screen.wait() == 0
        shown = screen.output
    assert "sandbox-password" not in shown
    report = report_of(shown)
    assert report["counts"] == {"applied": 2}
    with Terminal("reveal", report["job"], "--output", str(secrets)) as screen:
        assert screen.wait() == 0
        assert "2 secrets were written" in screen.output
    assert {line["login"]: line["password"][:17] for line in lines(secrets)} == {
        "terminal-7": "sandbox-password-",
        "'-8": "sandbox-password-",  # a spreadsheet must not calculate a login that looks like a formula
    }
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    with Terminal("reveal", report["job"], "--output", str(tmp_path / "again.csv")) as screen:
        assert screen.wait() == 1
        assert "are no longer stored" in screen.output


@needs_terminal
def test_ctrl_c_in_answer_to_the_question_starts_no_job(tmp_path: Path) -> None:
    listed = tmp_path / "new.csv"
    listed.write_text(f"sign_in_id,tenant_id\nterminal-9,{TENANT}\n", encoding="utf-8")
    with Terminal("job", "import_users", "--sandbox", "--csv", str(listed)) as screen:
        screen.wait_for("[y/N]")
        assert screen.interrupt_question() == 130
        assert "Stopped." in screen.output
    assert run_command("undo", "--json").out == "[]\n"


@needs_terminal
def test_a_step_that_needs_an_approval_of_its_own_is_reported_once(tmp_path: Path) -> None:
    listed = tmp_path / "new.csv"
    listed.write_text(f"email,tenant_id\nleaver@example.jp,{TENANT}\n", encoding="utf-8")
    with Terminal("job", "import_users", "--sandbox", "--csv", str(listed)) as screen:
        screen.wait_for("[y/N]")
        screen.type("y")
        assert screen.wait() == 0
    leaving = ("job", "offboard_user", "--sandbox", '{"email": "leaver@example.jp"}')
    assert run_command(*leaving).status == 4
    _approve()
    with Terminal(*leaving) as screen:
        screen.wait_for("automatically.")
        _approve()
        assert screen.wait() == 0
        assert screen.output.count("saasus-mcp approve") == 1


def _approve() -> None:
    [pending] = json.loads(run_command("approvals", "--json").out)
    with Terminal("approve", pending["code"]) as screen:
        screen.wait_for("To approve")
        screen.type(pending["question"]["typed"]["en"])
        assert screen.wait() == 0, screen.output

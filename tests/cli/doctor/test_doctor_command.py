"""`saasus-mcp doctor` names every problem and its fix, and shows no secret."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from saasus_mcp.catalog import catalogue as catalogue_module
from saasus_mcp.cli import composition
from saasus_mcp.cli.doctor import checks
from saasus_mcp.saasus.client import ApiClient
from tests.support.commands import run_command
from tests.support.doctor import findings, list_findings
from tests.support.pipeline import CREDENTIALS

Api = Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials in the environment."""
    give_credentials(monkeypatch)


def give_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_SAAS_ID", CREDENTIALS.saas_id)
    monkeypatch.setenv("SAASUS_API_KEY", CREDENTIALS.api_key)
    monkeypatch.setenv("SAASUS_SECRET_KEY", CREDENTIALS.secret_key)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Callable[[Api], None]:
    """Replace the API by a function, with credentials for it."""
    give_credentials(monkeypatch)

    def put(answering: Api) -> None:
        monkeypatch.setattr(
            composition, "build_client", lambda *_: ApiClient(CREDENTIALS, transport=httpx2.MockTransport(answering))
        )

    return put


def answers(status: int, body: Any = None, *, ahead: timedelta | None = timedelta()) -> Api:
    """Return an API with this response. `ahead`: how far this computer's clock is ahead of it."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        headers = {}
        if ahead is not None:
            headers["Date"] = format_datetime(datetime.now(UTC) - ahead, usegmt=True)
        return httpx2.Response(status, headers=headers, json=body if body is not None else {})

    return answer


@pytest.mark.parametrize(("lang", "said"), [("en", "No problems found."), ("ja", "問題は見つかりませんでした。")])
def test_in_the_sandbox_nothing_is_wrong(lang: str, said: str) -> None:
    ran = run_command("doctor", "--sandbox", "--lang", lang)
    assert ran.status == 0
    assert said in ran.out


def test_each_check_is_named_in_japanese() -> None:
    out = run_command("doctor", "--sandbox", "--lang", "ja").out
    for name in ("設定", "ポリシー", "カタログ", "状態フォルダー", "認証情報", "署名", "時計", "境界"):
        assert f"]  {name}: " in out


@pytest.mark.parametrize(
    ("variables", "flags", "said"),
    [
        ({}, (), "認証情報がありません: SAASUS_SAAS_ID、SAASUS_API_KEY、SAASUS_SECRET_KEY"),
        ({"SAASUS_SAAS_ID": "${env:ID}"}, (), "SAASUS_SAAS_ID: クライアントが環境変数への参照を"),
        ({"SAASUS_MCP_TIMEOUT": "soon"}, (), "[問題]  設定: SAASUS_MCP_TIMEOUT"),
        ({}, ("--sandbox", "--policy", "absent.yaml"), "absent.yaml: 読み取れません"),
    ],
    ids=["no credentials", "a reference", "a setting", "a policy"],
)
def test_faults_of_the_first_start_are_reported_in_japanese(
    variables: dict[str, str], flags: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"SAASUS_MCP_LANG": "ja", **variables}.items():
        monkeypatch.setenv(name, value)
    out = run_command("doctor", *flags).out
    assert said in out
    assert "Set " not in out
    assert "問題が1件あります" in out


def test_an_accepted_signature_names_the_saas_and_finds_the_clock_right(api: Callable[[Api], None]) -> None:
    api(answers(200, {"domain_name": "login.example.com"}))
    found = findings()
    assert [found[check]["status"] for check in ("signature", "clock", "saas")] == ["ok"] * 3
    assert found["saas"]["said"] == f"{CREDENTIALS.saas_id}, sign-in domain login.example.com"


def test_the_read_is_signed_and_cheap(api: Callable[[Api], None]) -> None:
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return answers(200)(request)

    api(answer)
    findings()
    (request,) = sent
    assert (request.method, request.url.path) == ("GET", "/v1/auth/basic-info")
    assert request.headers["Authorization"].startswith("SAASUSSIGV1 ")


def test_missing_credentials_are_named_and_nothing_is_sent() -> None:
    found = findings()
    assert "SAASUS_SAAS_ID, SAASUS_API_KEY, SAASUS_SECRET_KEY" in found["credentials"]["said"]
    assert found["signature"]["status"] == "skipped"


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (" key-under-test", "begins or ends with a space"),
        ("key-under-test\n", "begins or ends with a space"),
        ('"key-under-test"', "quotation marks"),
        ("「key-under-test」", "quotation marks"),
        ("key under test", "characters that are not used in keys"),
        ("ｋｅｙ-under-test", "characters that are not used in keys"),
    ],
)
def test_characters_copied_into_a_credential_are_named(monkeypatch: pytest.MonkeyPatch, value: str, said: str) -> None:
    monkeypatch.setenv("SAASUS_SECRET_KEY", value)
    ran = run_command("doctor")
    assert ran.status == 1
    assert "SAASUS_SECRET_KEY" in ran.out
    assert said in ran.out
    assert "under-test" not in ran.out + ran.err


def test_no_secret_is_ever_printed(api: Callable[[Api], None]) -> None:
    api(answers(401))
    for flags in ((), ("--json",), ("--lang", "ja")):
        ran = run_command("doctor", *flags)
        assert CREDENTIALS.api_key not in ran.out + ran.err
        assert CREDENTIALS.secret_key not in ran.out + ran.err


@pytest.mark.parametrize(("ahead", "said"), [(7, "7 minutes ahead"), (-90, "90 minutes behind")])
def test_after_a_401_a_wrong_clock_is_the_likely_cause(api: Callable[[Api], None], ahead: int, said: str) -> None:
    api(answers(401, ahead=timedelta(minutes=ahead)))
    found = findings()
    assert "clock" in found["signature"]["said"]
    assert said in found["signature"]["said"]
    assert found["clock"]["said"] == said


def test_a_wrong_clock_is_a_problem_even_while_signatures_are_accepted(api: Callable[[Api], None]) -> None:
    api(answers(200, ahead=timedelta(minutes=3)))
    found = findings()
    assert (found["signature"]["status"], found["clock"]["status"]) == ("ok", "problem")


def test_a_minute_is_no_wrong_clock(api: Callable[[Api], None]) -> None:
    api(answers(200, ahead=timedelta(minutes=1)))
    assert findings()["clock"]["status"] == "ok"


def test_a_clock_that_cannot_be_judged_is_skipped(api: Callable[[Api], None]) -> None:
    api(answers(200, ahead=None))
    assert findings()["clock"]["status"] == "skipped"


def test_after_a_401_with_a_right_clock_the_keys_are_suspected(api: Callable[[Api], None]) -> None:
    api(answers(401))
    found = findings()["signature"]
    assert "HTTP 401" in found["said"]
    assert "Compare the SaaS ID, API key and secret key" in found["hint"]


@pytest.mark.parametrize(
    ("status", "said"), [(403, "may not be used from here"), (503, "could not determine"), (404, "could not determine")]
)
def test_other_statuses_are_distinguished(api: Callable[[Api], None], status: int, said: str) -> None:
    api(answers(status))
    assert said in findings()["signature"]["said"]


def test_a_page_in_place_of_the_api_is_a_problem(api: Callable[[Api], None]) -> None:
    api(lambda _: httpx2.Response(200, text="<html>Log in to the network</html>"))
    found = findings()
    assert "a proxy may have answered" in found["signature"]["said"]
    assert found["saas"]["status"] == "skipped"


def test_an_api_out_of_reach_is_a_problem(api: Callable[[Api], None]) -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no route", request=request)

    api(refuse)
    found = findings()
    assert "could not be reached" in found["signature"]["said"]
    assert "SAASUS_API_URL_BASE" in found["signature"]["hint"]


def test_another_address_is_worth_a_note(api: Callable[[Api], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_API_URL_BASE", "https://api.example.com")
    api(answers(200))
    assert findings()["url"]["status"] == "note"


def test_an_unreadable_setting_is_named_and_ends_the_examination(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_MCP_TIMEOUT", "soon")
    found = findings()
    assert "SAASUS_MCP_TIMEOUT" in found["settings"]["said"]
    assert "Correct the value where it is set" in found["settings"]["hint"]
    assert "credentials" not in found


@pytest.mark.parametrize(
    ("variable", "value", "nearest"),
    [
        ("SAASUS_MCP_TOOLSETS", "usr", "users"),
        ("SAASUS_MCP_TOOLS", "auth_gett*", "auth_get_env"),
        ("SAASUS_MCP_EXCLUDE_TOOLS", "auth_get_rolse", "auth_get_roles"),
    ],
)
def test_a_list_of_tools_with_which_no_server_starts_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, nearest: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert run_command("serve").status == 1
    found = findings("--sandbox")["settings"]
    assert found["status"] == "problem"
    assert value in found["said"]
    assert nearest in found["said"] + found["hint"]


def test_a_policy_that_is_not_sound_is_a_problem(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 2\n", encoding="utf-8")
    assert "version is 2" in findings("--sandbox", "--policy", str(policy))["policy"]["said"]


@pytest.mark.parametrize(("profile", "is_unserved"), [("prodution", True), ("sandbox", False)])
def test_a_rule_for_a_profile_that_does_not_exist_is_named(tmp_path: Path, profile: str, *, is_unserved: bool) -> None:
    policy = tmp_path / "policy.yaml"
    rule = f"  - name: kept\n    tools: [auth_delete_tenant]\n    profile: {profile}\n    then: deny\n"
    policy.write_text(f"version: 1\nannouncement: PILOT\nrules:\n{rule}", encoding="utf-8")
    found = findings("--sandbox", "--policy", str(policy))["policy"]
    assert "PILOT" in found["said"], "what the policy announces is said all the same"
    assert found["status"] == "note"
    assert ("prodution" in found["said"]) == is_unserved


def test_a_policy_that_allows_everything_is_announced(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nunsafe-allow-everything: true\n", encoding="utf-8")
    found = findings("--sandbox", "--policy", str(policy))["policy"]
    assert (found["status"], "UNSAFE" in found["said"]) == ("note", True)


def test_a_sandbox_with_a_profile_is_a_problem() -> None:
    assert "profile" in findings("--sandbox", "--profile", "staging")["credentials"]["said"]


def test_a_catalogue_that_does_not_load_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_module, "FILE", tmp_path / "none.json")
    catalogue_module.load_catalogue.cache_clear()
    found = findings("--sandbox")
    assert (found["catalogue"]["status"], found["signature"]["status"]) == ("problem", "skipped")


def test_a_reference_that_the_client_did_not_resolve_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    give_credentials(monkeypatch)
    monkeypatch.setenv("SAASUS_API_KEY", "${env:SAASUS_API_KEY}")
    found = findings()["credentials"]
    assert (found["status"], "SAASUS_API_KEY: the client passed a reference" in found["said"]) == ("problem", True)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SSL_CERT_FILE", "/no/such/authorities.pem", "SSL_CERT_FILE"),
        ("HTTPS_PROXY", "socks5://user:hush@127.0.0.1:9", "the proxy 127.0.0.1:9"),
        ("HTTPS_PROXY", "http://user:hush@127.0.0.1:9", "the proxy 127.0.0.1:9"),
        ("HTTPS_PROXY", "gopher://127.0.0.1:9", "HTTPS_PROXY"),
        ("HTTPS_PROXY", "http://no-such-proxy.invalid:3128", "the proxy no-such-proxy.invalid is unknown"),
    ],
)
def test_a_network_fault_is_named_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    for each in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(each, raising=False)
        monkeypatch.delenv(each.lower(), raising=False)
    give_credentials(monkeypatch)
    monkeypatch.setenv(name, value)
    found = findings()
    assert found["signature"]["status"] == "problem"
    assert said in found["signature"]["said"]
    assert "hush" not in str(found)
    assert "boundary" in found, "the checks behind it go on"


def test_a_check_that_fails_itself_is_a_problem_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("hush")

    monkeypatch.setattr(checks, "check_network", broken)
    found = findings("--sandbox")
    assert found["network"]["status"] == "problem"
    assert "RuntimeError" in found["network"]["said"]
    assert "hush" not in str(found)
    assert "boundary" in found


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("version = 1\nbroken [", "not TOML"),
        ("version = 1\n[notices.webhook.ops]\nurl = { env = 'OPS_URL' }", "notices.webhook.ops.secret"),
        ("version = 1\n[http]\nprot = 8000", "http.prot"),
        ("version = 1\n[profiles.production]\napi_key = 'typed here'", "profiles.production.api_key"),
    ],
)
def test_a_fault_of_the_configuration_file_is_one_problem_of_the_settings(
    tmp_path: Path, config: str, said: str
) -> None:
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    found = list_findings()
    [problem] = [each for each in found if each["status"] == "problem"]
    assert (problem["check"], said in problem["said"]) == ("settings", True)
    assert {each["check"] for each in found if each["status"] == "skipped"} == {"credentials", "signature", "notices"}


def test_a_server_over_http_that_would_not_start_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = findings()["settings"]
    assert (settings["status"], "SAASUS_MCP_CONFIG" in settings["said"]) == ("note", True)
    monkeypatch.setenv("SAASUS_MCP_TRANSPORT", "http")
    settings = findings()["settings"]
    assert (settings["status"], "there is no file" in settings["said"]) == ("problem", True)
    (tmp_path / "config.toml").write_text("version = 1\n", encoding="utf-8")
    monkeypatch.setenv("SAASUS_MCP_HOST", "0.0.0.0")  # noqa: S104 - which the server refuses
    settings = findings()["settings"]
    assert (settings["status"], "SAASUS_MCP_PUBLIC_URL" in settings["said"]) == ("problem", True)

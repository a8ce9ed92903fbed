"""The channels of notices: every fault names its setting and the fix, and no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from saasus_mcp.notices.channels import Channel, load_channels
from saasus_mcp.settings.config import load_config
from saasus_mcp.settings.validation import SettingsError

SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def channels(tmp_path: Path, text: str) -> tuple[Channel, ...]:
    file = tmp_path / "notices.toml"
    file.write_text(f"version = 1\n{text}", encoding="utf-8")
    return load_channels(load_config(file).notices)


def test_every_kind_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOOK": "https://hooks.example.com/T/B", "TOKEN": "t0k3n", "SIGNING": SIGNING}.items():
        monkeypatch.setenv(name, value)
    found = channels(
        tmp_path,
        """
        [notices.slack.approvals]
        url = { env = "HOOK" }
        profiles = ["production"]
        topics = ["approval", "outcome"]
        lang = "ja"
        time_zone = "Asia/Tokyo"
        [notices.teams.office]
        url = { env = "HOOK" }
        [notices.line_works.shop]
        url = { env = "HOOK" }
        groups = ["support"]
        [notices.chatwork.room]
        token = { env = "TOKEN" }
        room = "123456"
        [notices.webhook.siem]
        url = { env = "HOOK" }
        secret = { env = "SIGNING" }
        [notices.email.ops]
        host = "smtp.example.com"
        security = "starttls"
        username = "mcp"
        password = { env = "TOKEN" }
        from = "mcp@example.com"
        to = ["ops@example.jp", "boss@example.jp"]
        """,
    )
    assert [(each.kind, each.name) for each in found] == [
        ("slack", "approvals"),
        ("teams", "office"),
        ("line_works", "shop"),
        ("chatwork", "room"),
        ("email", "ops"),
        ("webhook", "siem"),
    ]
    assert (found[0].reader.language, str(found[0].reader.zone)) == ("ja", "Asia/Tokyo")
    assert "t0k3n" not in repr(found)
    assert "hooks.example.com" not in repr(found)


@pytest.mark.parametrize(
    ("value", "text", "named"),
    [
        ("http://hooks.example.com/key", '[notices.slack.a]\nurl = { env = "VALUE" }', "notices.slack.a.url"),
        ("file:///etc/key", '[notices.teams.a]\nurl = { env = "VALUE" }', "notices.teams.a.url"),
        ("", '[notices.slack.a]\nurl = { env = "VALUE" }', "VALUE"),
        (
            "whsec_key",
            '[notices.webhook.a]\nurl = { env = "HOOK" }\nsecret = { env = "VALUE" }',
            "notices.webhook.a.secret",
        ),
        ("k\u00e9y", '[notices.chatwork.a]\nroom = "1"\ntoken = { env = "VALUE" }', "notices.chatwork.a.token"),
        ("key", '[notices.slack.a]\nurl = "https://hooks.example.com/key"', "notices.slack.a.url"),
        ("key", '[notices.slack.a]\nurl = { env = "HOOK" }\n[notices.teams.a]\nurl = { env = "HOOK" }', "notices"),
        ("key", '[notices.chatwork.a]\nroom = "!1"\ntoken = { env = "VALUE" }', "notices.chatwork.a.room"),
        ("key", '[notices.slack.a]\nurl = { env = "HOOK" }\ntopics = ["approvals"]', "notices.slack.a.topics"),
        ("key", '[notices.slak.a]\nurl = { env = "HOOK" }', "slack"),
        (
            "key",
            '[notices.email.a]\nhost = "mail.example.com"\nsecurity = "none"\nfrom = "a@b.jp"\nto = ["a@b.jp"]',
            "notices.email.a",
        ),
        (
            "key",
            '[notices.email.a]\nhost = "m.jp"\nfrom = "a@b.jp\\r\\nBcc: x@y.jp"\nto = ["a@b.jp"]',
            "notices.email.a.from",
        ),
        ("key", '[notices.email.a]\nhost = "m.jp"\nfrom = "a@b.jp"\nto = []', "notices.email.a.to"),
        (
            "key",
            '[notices.email.a]\nhost = "m.jp"\nusername = "u"\nfrom = "a@b.jp"\nto = ["a@b.jp"]',
            "notices.email.a",
        ),
    ],
)
def test_a_fault_names_its_setting_and_shows_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, text: str, named: str
) -> None:
    monkeypatch.setenv("VALUE", value)
    monkeypatch.setenv("HOOK", "https://hooks.example.com/secret-part")
    with pytest.raises(SettingsError) as error:
        channels(tmp_path, text)
    for language in ("en", "ja"):
        shown = error.value.text(language)
        assert named in shown
        assert "secret-part" not in shown
        assert len(value) < 4 or value not in shown.replace("whsec_ and", "")


def test_a_file_without_channels_has_none(tmp_path: Path) -> None:
    assert channels(tmp_path, "") == ()

"""Each provider gets a notice in its documented form, and no text from outside can mention, link or format anything there.

The forms are those of the pages that `saasus_mcp/notices/payloads.py` names.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import pytest

from saasus_mcp.notices import sending
from saasus_mcp.notices.channels import ChannelKind
from saasus_mcp.notices.notice import MAX_LINE, MAX_TITLE, Notice, inert_text
from saasus_mcp.notices.payloads import LINE_WORKS_TEXT, build_notice_request, line_works_message, message_id, sign
from saasus_mcp.settings.notices import EmailTable
from tests.support.notices import SIGNING_SECRET, channel
from tests.support.timing import cpu_seconds

NOW = 1_790_000_000.0
LINK = "https://mcp.example.com/console/approvals/ABCD-2345"
NOTICE = Notice(
    "approval:ABCD-2345:approval_requested",
    "approval_requested",
    "production",
    NOW,
    "承認が必要です: テナント「A&B <青空>」の削除",
    ("依頼者: sato", "期限: 10:15"),
    "ABCD-2345",
    LINK,
    "コンソールを開く",
)
HOSTILE = [
    "<!channel> <@U123> <https://evil.example|here>",
    '<m userId="all">',
    "[toall] [To:1]x [/info][rp aid=1]",
    "[click](https://evil.example) **bold** `code`",
    "@all @channel @here @everyone",
    "line\r\nBcc: victim@example.com\u202e\u200b\x1b[31m",
    "http://evil.example javascript://x",
    "www.evil.example evil.example/path?a=1 evil.みんな ＥＶＩＬ．ｅｘａｍｐｌｅ evil｡example evil。example",
    "mailto:x@evil.example tel:0312345678 //evil.example \\\\evil\\share 192.0.2.7:80",
    "x@evil.example/path user:pw@evil.example",
]

LINKED = re.compile(r"(?i)://|(mailto|tel|sms|file):|\w[.．｡]\w*[^\W\d_]|[a-z]。[a-z]|\d\.\d+\.\d+\.\d")
"""What a chat or mail client makes a link of."""


def payload(kind: ChannelKind, notice: Notice = NOTICE) -> Any:
    return json.loads(build_notice_request(channel(kind), notice, NOW).content)


def test_slack_gets_plain_text_blocks_and_a_button() -> None:
    sent = payload("slack")
    assert [block["type"] for block in sent["blocks"]] == ["section", "section", "actions"]
    assert {block["text"]["type"] for block in sent["blocks"][:2]} == {"plain_text"}
    assert sent["blocks"][2]["elements"][0]["url"] == LINK
    assert sent["text"] == "承認が必要です: テナント「A&amp;B &lt;青空&gt;」の削除", (
        "the text of the notification is mrkdwn"
    )
    assert sent["unfurl_links"] is False


def test_a_long_notice_stays_within_the_limits_of_slack() -> None:
    """Slack refuses a section of more than 3,000 characters, and with it the whole message."""
    longest = replace(NOTICE, title="あ" * MAX_TITLE, lines=("い" * MAX_LINE,) * 8)
    sections = [block["text"]["text"] for block in payload("slack", longest)["blocks"] if block["type"] == "section"]
    assert max(map(len, sections)) <= 3000


def test_a_long_notice_stays_within_the_limits_of_line_works_with_all_its_lines() -> None:
    lines = (*("い" * MAX_LINE,) * 7, "期限: 10:15")
    [text] = payload("line_works", replace(NOTICE, lines=lines))["body"].values()
    assert len(text) <= 1000
    assert text.count("\n") == 7
    assert text.count("…") == 7
    assert text.endswith("い\n期限: 10:15")


def test_a_notice_that_just_fits_is_not_cut() -> None:
    lines = ("い" * 300, "う" * 600, "a" * 50, "期限: 10:15")
    text = "\n".join(lines)
    fitting = (*lines[:3], "期" * (1000 - len(text) + len(lines[3])))
    assert payload("line_works", replace(NOTICE, lines=fitting))["body"] == {"text": "\n".join(fitting)}


def test_a_long_notice_stays_within_the_limit_of_teams() -> None:
    """Teams refuses a message of more than about 28 KB."""
    longest = replace(NOTICE, title="あ" * MAX_TITLE, lines=("い" * MAX_LINE,) * 9)
    assert len(build_notice_request(channel("teams"), longest, NOW).content) < 28_000


def test_teams_gets_an_adaptive_card_without_markdown() -> None:
    [attachment] = payload("teams")["attachments"]
    assert (payload("teams")["type"], attachment["contentType"]) == (
        "message",
        "application/vnd.microsoft.card.adaptive",
    )
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "コンソールを開く", "url": LINK}]


def test_line_works_gets_title_text_and_button() -> None:
    assert payload("line_works") == {
        "title": NOTICE.title,
        "body": {"text": "依頼者: sato\n期限: 10:15"},
        "button": {"label": "コンソールを開く", "url": LINK},
    }


def test_chatwork_gets_a_form_and_its_token_in_a_header() -> None:
    request = build_notice_request(channel("chatwork", url="https://api.chatwork.com/v2"), NOTICE, NOW)
    assert request.url == "https://api.chatwork.com/v2/rooms/123/messages"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["x-chatworktoken"] == "chatwork-token"
    [body] = parse_qs(request.content.decode())["body"]
    assert body == f"[info][title]{NOTICE.title}[/title]依頼者: sato\n期限: 10:15\n{LINK}[/info]"


def test_a_webhook_is_signed_as_standard_webhooks_requires() -> None:
    request = build_notice_request(channel("webhook"), NOTICE, NOW)
    sent = json.loads(request.content)
    assert (sent["type"], sent["timestamp"]) == ("approval.requested", "2026-09-21T14:13:20.000Z")
    assert sent["data"]["url"] == LINK
    assert sent["data"]["reference"] == "ABCD-2345"
    identity, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    assert timestamp == str(int(NOW))
    assert "." not in identity, "the id must not contain the separator of the signed text"
    key = base64.b64decode(SIGNING_SECRET.removeprefix("whsec_"))
    expected = hmac.new(key, f"{identity}.{timestamp}.".encode() + request.content, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the specification's own test vectors."""
    signature = sign({"secret": SIGNING_SECRET}, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_previous_secret_signs_as_well() -> None:
    both = channel("webhook")
    request = build_notice_request(
        type(both)(both.name, both.kind, both.table, {**both.secrets, "previous_secret": SIGNING_SECRET}), NOTICE, NOW
    )
    first, second = request.headers["webhook-signature"].split(" ")
    assert first == second


def test_each_attempt_has_the_same_id_and_each_channel_another() -> None:
    assert message_id(channel(), NOTICE) == message_id(channel(), NOTICE)
    assert message_id(channel(name="other"), NOTICE) != message_id(channel(), NOTICE)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_is_inert(text: str) -> None:
    shown = inert_text(text, MAX_TITLE)
    assert not set("<>[]`*|\r\n\x1b\u202e\u200b") & set(shown)
    assert not set("\\") & set(shown)
    without_addresses = re.sub(r"[\w.]+@[\w.-]+(?![\w/:])", "", shown)
    assert not LINKED.search(without_addresses), shown
    assert not any(word.startswith("@") for word in shown.split())
    assert shown == inert_text(shown, MAX_TITLE), "and stays as it is"


@pytest.mark.parametrize(
    "text",
    [
        "佐藤 花子 (sato@example.co.jp)",
        "akane@example.jp.",
        "oidc:abc | 1,234.50 USD".replace("|", "/"),
        "v1.2.3 10.5% 2026-11-29 10:15 UTC+9:00",
        "終わりました。次へ",
    ],
)
def test_names_addresses_of_people_and_numbers_stay_as_they_are(text: str) -> None:
    assert inert_text(text, MAX_TITLE) == text


def test_a_name_that_looks_like_a_domain_stays_readable() -> None:
    assert inert_text("Booking.com 株式会社", MAX_TITLE) == "Booking·com 株式会社"


def test_long_text_takes_no_long_time() -> None:
    """A search for addresses must not take the square of the length."""
    for text in ("a." * 50_000, "a@" * 50_000, "1." * 50_000, "a-" * 50_000):
        assert cpu_seconds(partial(inert_text, text, 100_000), runs=1) < 1


def test_a_text_is_bounded() -> None:
    assert len(inert_text("あ" * 10_000, MAX_TITLE)) <= MAX_TITLE + 1


def test_the_id_of_a_person_is_not_cut_out_of_a_message_that_is_too_long() -> None:
    identity = f"({'7' * 64})"
    lines = ("Profile: default", f"Requested by: {'n' * 60} {identity}", *["x" * MAX_LINE] * 6, "Until: 10:15")
    text = line_works_message(replace(NOTICE, lines=lines))["body"]["text"]
    assert len(text) <= LINE_WORKS_TEXT
    assert identity in text
    assert text.splitlines()[0] == lines[0]
    assert text.splitlines()[-1] == lines[-1]


def test_a_mail_is_plain_automatic_and_has_the_id_of_the_notice() -> None:
    table = channel("email").table
    assert isinstance(table, EmailTable)
    message = sending.mail_message(table, NOTICE, "msg_1")
    assert (message["Subject"], message["To"]) == (NOTICE.title, "ops@example.jp")
    assert (message["Message-ID"], message["Auto-Submitted"]) == ("<msg_1@example.com>", "auto-generated")
    assert message.get_content_type() == "text/plain"
    assert message.get_content().splitlines() == [NOTICE.title, "", *NOTICE.lines, "", LINK]

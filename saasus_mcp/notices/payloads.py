"""The request to each provider for one notice, in the form that its documentation gives (read on 2026-11-29).

Slack             docs.slack.dev/messaging/sending-messages-using-incoming-webhooks: `text` is shown in the notification, `blocks` in the
                  channel. Limits as in Slack's own SDK (slack_sdk 3.48.0, models/blocks): 3,000 characters of text in a section,
                  75 on a button, 3,000 in its address
Microsoft Teams   learn.microsoft.com/connectors/teams, "When a Teams webhook request is received": a message with an Adaptive Card, of
                  about 28 KB. learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format: TextBlock and Fact
                  are Markdown. `TextRun` is not. At most four requests a second (…/webhooks-and-connectors/how-to/add-incoming-webhook)
LINE WORKS        line-works.com/appdirectory/incoming-webhook: title, body.text, and one button with label and url. It has no limits on
                  that page. A bot posts it, and a bot's message with a link has at most 1,000 characters in each of text, label and
                  address (developers.worksmobile.com/en/docs/bot-send-link)
Chatwork          developer.chatwork.com/docs/endpoints and /reference/post-rooms-room_id-messages: a form over https, the token in a header
webhook           github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md

A notice has at most 300 characters in its title and in each of about nine lines, so only LINE WORKS needs a limit of its own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from saasus_mcp import __version__
from saasus_mcp.notices.channels import Channel, signing_key
from saasus_mcp.notices.notice import Notice
from saasus_mcp.settings.notices import ChatworkTable

LINE_WORKS_TEXT = 1_000
"""Characters of the text of a message with a button; see above."""
JSON_TYPE, FORM_TYPE = "application/json; charset=utf-8", "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A POST to a provider. Address and headers can be secret."""

    url: str = field(repr=False)
    content: bytes
    headers: Mapping[str, str] = field(repr=False)


def build_notice_request(channel: Channel, notice: Notice, now: float) -> OutgoingRequest:
    """Return the request that posts a notice to any channel but e-mail."""
    if channel.kind == "webhook":
        return _signed_webhook(channel, notice, now)
    if channel.kind == "chatwork":
        return _chatwork(channel, notice)
    build = {"slack": slack_message, "teams": teams_message, "line_works": line_works_message}[channel.kind]
    return OutgoingRequest(channel.secrets["url"], _json(build(notice)), _headers(JSON_TYPE))


def slack_message(notice: Notice) -> dict[str, Any]:
    """Return blocks of plain text, and the text of the notification, in which only `&`, `<` and `>` are special."""
    blocks: list[dict[str, Any]] = [_plain_section(notice.title)]
    if notice.lines:
        blocks.append(_plain_section(notice.text))
    if notice.link:
        button = {"type": "button", "text": _plain(notice.link_text), "url": notice.link}
        blocks.append({"type": "actions", "elements": [button]})
    text = notice.title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _plain_section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _plain(text)}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def teams_message(notice: Notice) -> dict[str, Any]:
    """Return an Adaptive Card, all of whose texts are `TextRun`, without Markdown."""
    runs: list[dict[str, Any]] = [{"type": "TextRun", "text": notice.title, "weight": "Bolder"}]
    body = [{"type": "RichTextBlock", "inlines": runs}]
    body += [{"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": line}]} for line in notice.lines]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if notice.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": notice.link_text, "url": notice.link}]
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}


def line_works_message(notice: Notice) -> dict[str, Any]:
    message: dict[str, Any] = {
        "title": notice.title,
        "body": {"text": _bounded(notice, LINE_WORKS_TEXT) or notice.title},
    }
    if notice.link:
        message["button"] = {"label": notice.link_text, "url": notice.link}
    return message


def _bounded(notice: Notice, longest: int) -> str:
    """Return the lines in at most so many characters. None is missing, since the last ones say until when and how to decide.

    Only the longest lines are cut, in the middle: the id of a person is at the end, behind a name that people choose for themselves.
    """
    if len(notice.text) <= longest:
        return notice.text
    left = share = longest - len(notice.lines) + 1
    for number, line in enumerate(sorted(notice.lines, key=len)):
        share = left // (len(notice.lines) - number)
        if len(line) > share:
            break
        left -= len(line)
    return "\n".join(line if len(line) <= share else _cut_middle(line, share) for line in notice.lines)


def _cut_middle(line: str, longest: int) -> str:
    head = longest // 3
    return f"{line[:head]}…{line[head + 1 - longest :]}"


def webhook_event(notice: Notice) -> dict[str, Any]:
    """Return type, time and data of the event, as Standard Webhooks recommends."""
    at = datetime.fromtimestamp(notice.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    data = {
        "id": notice.id,
        "profile": notice.profile,
        "reference": notice.reference,
        "title": notice.title,
        "lines": list(notice.lines),
        "url": notice.link,
    }
    return {"type": notice.kind.replace("_", ".", 1), "timestamp": at, "data": data}


def sign(secrets: Mapping[str, str], id: str, timestamp: int, content: bytes) -> str:
    """Return the signatures of a message by the secret, and by the previous one if there is one."""
    signed = f"{id}.{timestamp}.".encode() + content
    keys = [signing_key(secrets[name]) for name in ("secret", "previous_secret") if name in secrets]
    macs = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
    return " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs)


def _signed_webhook(channel: Channel, notice: Notice, now: float) -> OutgoingRequest:
    content, timestamp = _json(webhook_event(notice)), int(now)
    identity = message_id(channel, notice)
    headers = {
        "webhook-id": identity,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(channel.secrets, identity, timestamp, content),
    }
    return OutgoingRequest(channel.secrets["url"], content, {**_headers(JSON_TYPE), **headers})


def message_id(channel: Channel, notice: Notice) -> str:
    """Return the id of a notice on a channel, the same in every attempt. It has no dot, which a signed message may not have."""
    return "msg_" + hashlib.sha256(f"{channel.name}\0{notice.id}".encode()).hexdigest()[:32]


def _chatwork(channel: Channel, notice: Notice) -> OutgoingRequest:
    assert isinstance(channel.table, ChatworkTable)  # noqa: S101 - by its kind
    url = f"{channel.table.url.rstrip('/')}/rooms/{channel.table.room}/messages"
    lines = "\n".join([*notice.lines, *([notice.link] if notice.link else [])])
    # A notice has no brackets, so it can neither close the box nor address anyone.
    body = f"[info][title]{notice.title}[/title]{lines}[/info]"
    form = urlencode({"body": body, "self_unread": "1"}).encode()
    return OutgoingRequest(url, form, {**_headers(FORM_TYPE), "x-chatworktoken": channel.secrets["token"]})


def origin_of(channel: Channel) -> str:
    """Return the address of a provider without the path, which is a secret of most."""
    url = channel.table.url if isinstance(channel.table, ChatworkTable) else channel.secrets["url"]
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def _headers(content_type: str) -> dict[str, str]:
    return {"Content-Type": content_type, "User-Agent": f"saasus-mcp/{__version__}"}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

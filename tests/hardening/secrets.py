"""Attacks that make the product repeat a secret: a key of the server, or a secret argument of the call."""

from __future__ import annotations

import base64
import html
import io
import json
import logging
import time
import unicodedata
from collections.abc import Callable
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx2
import pytest
import yaml

from saasus_mcp.cli import state
from saasus_mcp.cli.server_log import RedactingFormatter
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.permissions.policy.presets import PRESETS, UnsafeAllowAllPolicy
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import SecretCollector, SecretVault
from saasus_mcp.saasus import arguments
from saasus_mcp.saasus.redaction import KnownSecrets
from saasus_mcp.saasus.secret_names import scrub_text
from saasus_mcp.saasus.secret_paths import REMOVED
from saasus_mcp.settings.environment import read_settings
from scripts.catalogue import __main__ as compiler
from scripts.catalogue.spec_file import SpecError
from tests.support.attack_corpus import AttackContext, attack
from tests.support.gate import Person
from tests.support.pipeline import (
    CREDENTIALS,
    PLACE,
    PRINCIPAL,
    StubApi,
    accept_question,
    build_pipeline,
    connect_client,
)
from tests.support.saas_store import open_saas_store
from tests.support.timing import cpu_seconds

AREA = "Secrets"
PASSWORD = 'S3cr"et-&/Wört パス+x'
USER = {"email": "a@example.com", "password": PASSWORD}

ENCODINGS: dict[str, Callable[[str], str]] = {
    "JSON": lambda text: json.dumps(text, ensure_ascii=False),
    "unicode escapes": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    "HTML entities": html.escape,
    "numbered HTML entities": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "percent encoding": lambda text: quote(text, safe=""),
    "form encoding": quote_plus,
    "percent encoding, twice": lambda text: quote(quote(text, safe=""), safe=""),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url within base64url": lambda text: base64.urlsafe_b64encode(
        base64.urlsafe_b64encode(text.encode())
    ).decode(),
    "base64 of a header": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
    "base64 in lines": lambda text: "\r\n".join(
        base64.b64encode(text.encode()).decode()[at : at + 8] for at in range(0, 48, 8)
    ),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal with colons": lambda text: text.encode().hex(":").upper(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "UTF-16 within base64": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "UTF-16 within hexadecimal": lambda text: text.encode("utf-16-be").hex(),
    "numbers of its bytes": lambda text: str(list(text.encode())),
    "quoted-printable": lambda text: "".join(f"={byte:02X}" for byte in text.encode()),
    "capitals": str.upper,
    "the decomposed normal form": lambda text: unicodedata.normalize("NFD", text),
    "lines of one letter": "\n".join,
    "zero-width spaces": "\u200b".join,
}


async def repeat_secret(
    ground: AttackContext, answer: Any, arguments: dict[str, Any] = USER, key: str = "auth.CreateSaasUser"
) -> str:
    """Return all that the client receives and all that is stored after a call with this answer of the API."""
    api, folder = StubApi(ground.catalogue), ground.folder / "state"
    api.answers = {key: answer}
    store = open_saas_store(folder, CREDENTIALS.saas_id)
    try:
        async with connect_client(build_pipeline(api, store, UnsafeAllowAllPolicy()), "2026-07-28") as client:
            result = await client.call_tool(ground.catalogue.find(key).tool, arguments)
    finally:
        store.close()
    texts = [block.model_dump_json() for block in result.content]
    return json.dumps([texts, result.structured_content], ensure_ascii=False) + stored_bytes(folder)


def stored_bytes(folder: Path) -> str:
    return "".join(file.read_bytes().decode("latin-1") for file in folder.rglob("*") if file.is_file())


def _repeats(name: str, encode: Callable[[str], str]) -> None:
    @attack(AREA, f"The API repeats a password in {name}, in an answer and in an error")
    async def repeats(ground: AttackContext) -> str:
        said = encode(PASSWORD)
        seen = await repeat_secret(ground, {"id": "u", "email": "a@example.com", "note": f"<{said}>", "map": {said: 1}})
        seen += await repeat_secret(ground, httpx2.Response(400, json={"type": "weak", "message": f"not '{said}'!"}))
        assert REMOVED in seen
        assert said not in seen
        assert json.dumps(said)[1:-1] not in seen
        return "removed; nothing of it is on the disk"


for _name, _encode in ENCODINGS.items():
    _repeats(_name, _encode)


@attack(AREA, "The API answers 401 with the server's own API key in the message")
async def api_key(ground: AttackContext) -> str:
    said = {"type": "unauthorized", "message": f"unknown client '{CREDENTIALS.api_key}'"}
    seen = await repeat_secret(ground, httpx2.Response(401, json=said))
    assert CREDENTIALS.api_key not in seen
    assert f"unknown client '{REMOVED}'" in seen
    return "the key is removed, the rest of the message stays"


@attack(AREA, "The API repeats the server's own secret key in base64, as the name of a field and as a trace id")
async def secret_key(ground: AttackContext) -> str:
    key, code = CREDENTIALS.secret_key, base64.b64encode(CREDENTIALS.secret_key.encode()).decode()
    headers = {"X-Saasus-Trace-Id": key}
    seen = await repeat_secret(ground, httpx2.Response(200, json={"id": "u", code: {key: code}}, headers=headers))
    assert key not in seen
    assert code.rstrip("=") not in seen
    return "removed from keys and values; the trace id is the server's own"


@attack(AREA, "The API repeats a password that was given as a handle, percent-encoded")
async def handle(ground: AttackContext) -> str:
    sealer, api = Encryptor.ephemeral(), StubApi(ground.catalogue)
    store = open_saas_store(ground.folder / "state", CREDENTIALS.saas_id)
    hiding = SecretCollector()
    given = hiding.add(PASSWORD)
    SecretVault(store, sealer, time.time).store_secrets(hiding, PRINCIPAL.id, PLACE.profile)
    api.answers = {"auth.CreateSaasUser": {"id": "u", "note": quote(PASSWORD)}}
    async with connect_client(
        build_pipeline(api, store, UnsafeAllowAllPolicy(), sealer=sealer), "2026-07-28"
    ) as client:
        result = await client.call_tool("auth_create_saas_user", {**USER, "password": given})
    store.close()
    assert result.structured_content["note"] == REMOVED
    return "removed, as a plain argument is"


@attack(AREA, "A read for a preview repeats the new secret of the call that asks")
async def preview(ground: AttackContext) -> str:
    api, person = StubApi(ground.catalogue), Person(accept_question)
    secret = "new-re-captcha-key-1"
    api.answers = {"auth.GetSignInSettings": {"self_regist": {"enable": True, "note": f"pending: {secret}"}}}
    store = open_saas_store(ground.folder / "state", CREDENTIALS.saas_id)
    arguments = {"recaptcha_props": {"site_key": "site", "secret_key": secret}}
    async with connect_client(build_pipeline(api, store, PRESETS["strict"]), "2026-07-28", person) as client:
        await client.call_tool("auth_update_sign_in_settings", arguments)
    store.close()
    assert api.sent
    assert secret not in stored_bytes(ground.folder) + "".join(params.model_dump_json() for params in person.seen)
    return "in no question and in no file"


@attack(AREA, "The caller repeats the target's name as a secret, so that the question would hide it")
async def hidden_target(ground: AttackContext) -> str:
    name = "user-of-production-1@example.com"
    api, person = (
        StubApi(ground.catalogue, answers={"auth.GetSaasUser": {"id": "u", "email": name}}),
        Person(accept_question),
    )
    store = open_saas_store(ground.folder / "state", CREDENTIALS.saas_id)
    async with connect_client(build_pipeline(api, store, PRESETS["strict"]), "2026-07-28", person) as client:
        await client.call_tool("auth_update_saas_user_password", {"user_id": name, "password": name})
    store.close()
    [asked] = person.seen
    assert name in asked.model_dump_json()
    assert "it repeats a secret of this call" in asked.message
    return "the question names the id, and says why the name cannot be read"


@attack(AREA, "A password is the name of a field that is hidden by its place")
async def field_name(ground: AttackContext) -> str:
    api = StubApi(ground.catalogue)
    api.answers = {"auth.CreateSaasUser": {"id": "u", "email": "a@example.com", "password": "generated-one-1"}}
    store = open_saas_store(ground.folder / "state", CREDENTIALS.saas_id)
    async with connect_client(build_pipeline(api, store, UnsafeAllowAllPolicy()), "2026-07-28") as client:
        result = await client.call_tool("auth_create_saas_user", {"email": "a@example.com", "password": "password"})
    store.close()
    assert result.structured_content["password"].startswith("secret://r/")
    return "the field keeps its name and its value is hidden"


@attack(AREA, "A short one-time code is repeated beside longer numbers")
async def short(_: AttackContext) -> str:
    known = KnownSecrets(("493817",))
    assert known.text("code 493817 of order 14938170") == f"code {REMOVED} of order 14938170"
    return "removed where it is a word of its own"


@attack(AREA, "A log line and its traceback hold the server's secret key")
async def log(_: AttackContext) -> str:
    stream, formatter = io.StringIO(), RedactingFormatter()
    formatter.add_secrets(CREDENTIALS.api_key, CREDENTIALS.secret_key)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("hardening")  # noqa: LOG001 - seen by nobody else
    logger.addHandler(handler)
    try:
        int(f"signing with {CREDENTIALS.secret_key}")
    except ValueError:
        logger.exception("failed for %s", quote(CREDENTIALS.api_key))
    shown = stream.getvalue()
    assert "Traceback" in shown
    assert CREDENTIALS.secret_key not in shown
    assert CREDENTIALS.api_key not in shown
    return "removed from the message and from the traceback"


@attack(AREA, "Log bodies of 50 and 200 KB are a name of a secret and one endless word")
async def endless(_: AttackContext) -> str:
    short, long = (partial(scrub_text, "token " + "a" * size) for size in (50_000, 200_000))
    most = 16 * cpu_seconds(short) + 0.05
    assert cpu_seconds(long, enough=most) < most
    return "the time grows with the length"


@attack(AREA, "An answer of nothing but escapes, open entities, backslashes or base64 grows fourfold")
async def escapes(_: AttackContext) -> str:
    known = KnownSecrets((PASSWORD,))
    for part in ("%41", "&amp", "\\", "\\u0041", "Vvvv", "41", "%25"):
        short, long = (partial(known.text, part * size) for size in (2_000, 8_000))
        most = 16 * cpu_seconds(short) + 0.05
        assert cpu_seconds(long, enough=most) < most, part
    return "the time grows with the length"


@attack(AREA, "An answer repeats an encoded password thousands of times")
async def thousands(_: AttackContext) -> str:
    known = KnownSecrets((PASSWORD,))
    shown = known.redact([f"{number} {quote(PASSWORD)}" for number in range(1_500)])
    assert not any(known.within(text) for text in shown)
    assert shown[0] == f"0 {REMOVED}"
    assert shown[-1] == REMOVED
    return "the first are cut out, the further texts withheld as a whole"


@attack(AREA, "Messages in which ordinary words follow the name of a secret")
async def ordinary(_: AttackContext) -> str:
    for text in ("token: The buyer has none", "Session: today at three", "パスワード\uff1a8文字以上で入力してください"):
        assert scrub_text(text) == text
    for text in ("token: aB3dE9", "password=hunter", "パスワード\uff1ahunter2", '{"code": "see below'):
        assert REMOVED in scrub_text(text)
    return "sentences stay, values are removed"


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load((compiler.SPECS / "effects.yaml").read_text(encoding="utf-8"))
    return table


def _refusal(ground: AttackContext, change: Callable[[dict[str, Any], str], str]) -> str:
    """Return the error of the compiler after a change of a module's rows of effects and of its document."""
    table = {key: deepcopy(row) for key, row in _table().items() if key.startswith(("apigateway.", "labels"))}
    text = (compiler.SPECS / "apigateway.yaml").read_text(encoding="utf-8")
    (ground.folder / "apigateway.yaml").write_text(change(table, text), encoding="utf-8")
    (ground.folder / "effects.yaml").write_text(yaml.safe_dump(table, allow_unicode=True), encoding="utf-8")
    with pytest.raises(SpecError) as refused:
        compiler.compile_catalogue(ground.folder)
    return str(refused.value)


@attack(AREA, "The table of effects no longer lists a secret argument that the document marks")
async def unlisted(ground: AttackContext) -> str:
    def change(table: dict[str, Any], text: str) -> str:
        table["apigateway.GetApiKey"]["secrets_in"] = []
        return text

    assert "apigateway.GetApiKey: api_key has `x-secret-in: true` in apigateway.yaml" in _refusal(ground, change)
    return "does not compile; the error names the operation, the path and both files"


@attack(AREA, "A document no longer marks a secret answer that the table of effects lists")
async def unmarked(ground: AttackContext) -> str:
    def change(_: dict[str, Any], text: str) -> str:
        return text.replace("x-secret: true", "x-secret: false")

    assert "is in secrets_out of effects.yaml, and apigateway.yaml has no `x-secret: true`" in _refusal(ground, change)
    return "does not compile; the error names the operation, the path and both files"


@attack(AREA, "A mark in a document is misspelt, and the table of effects leaves the path out too")
async def misspelt(ground: AttackContext) -> str:
    def change(table: dict[str, Any], text: str) -> str:
        for row in table.values():
            row.pop("secrets_out", None)
        return text.replace("x-secret: true", "x-secret: yes-please")

    assert "which is an unknown mark" in _refusal(ground, change)
    return "does not compile; the error names the mark"


@attack(AREA, "A password that is sent as a number")
async def number_as_password(ground: AttackContext) -> str:
    with pytest.raises(InvalidArguments) as refused:
        arguments.check_arguments(
            ground.catalogue.find("auth.CreateSaasUser"), {"email": "a@example.com", "password": 87654321}
        )
    assert "87654321" not in str(refused.value)
    assert "password" in str(refused.value)
    return "refused; the error names the field and does not repeat the number"


@attack(AREA, "An error of the database driver that repeats the password and a sealing key")
async def database_password(ground: AttackContext) -> str:
    key = base64.b64encode(b"k" * 32).decode()
    ground.monkeypatch.setenv("SAASUS_MCP_DATABASE_URL", "postgresql://mcp:p%40ss-4word@127.0.0.1:1/none")
    ground.monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS", key)
    formatter = RedactingFormatter()
    ground.monkeypatch.setattr("saasus_mcp.cli.server_log.redact_in_log", formatter.add_secrets)
    with state.open_state(read_settings()):
        record = logging.makeLogRecord({"msg": f"could not connect with p@ss-4word or p%40ss-4word and {key}"})
        line = formatter.format(record)
    assert "4word" not in line
    assert key not in line
    return "the log has [redacted] in their place"

"""Attacks on the audit log, and on the keys that authenticate it."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.common.language import Text
from saasus_mcp.hosting.console.audit_view import view_audit as audit_page
from saasus_mcp.hosting.console.service import ConsoleService, PolicyText, ProfileContext
from saasus_mcp.hosting.console.views import PageRequest
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.approval.proof import Binding, Destination
from saasus_mcp.permissions.inspection.target import TargetSnapshot
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import SecretCollector, SecretVault
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.settings.environment import read_settings
from saasus_mcp.settings.validation import SettingsError
from saasus_mcp.store.audit.excerpts import MAX_RECORD_BYTES, encode_bounded
from saasus_mcp.store.audit.hash_chain import ChainHead
from saasus_mcp.store.errors import StoreError, WrongKey
from saasus_mcp.store.signin_sessions import Approver, ConsoleSession
from saasus_mcp.store.store import Store
from tests.support.approvals import NOW
from tests.support.attack_corpus import AttackContext, attack
from tests.support.commands import run_command
from tests.support.databases import KEY, execute
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline
from tests.support.saas_store import open_saas_store

AREA = "Audit and keys"
OWNER = Approver("local:me", is_owner=True)


def open_store(ground: AttackContext, saas_id: str = "saas", *keys: bytes) -> Store:
    return open_saas_store(ground.folder, saas_id, keys or (KEY,))


def write_records(ground: AttackContext, saas_id: str = "saas", records: int = 6) -> Store:
    """Return a store with the hash chain of one writer."""
    store = open_store(ground, saas_id)
    for number in range(records):
        store.commit(f"call-{number}", {"operation": "auth.CreateRole"}, NOW + number)
    return store


def verify_chain(store: Store, *heads: ChainHead) -> list[str]:
    return [str(found.fault).partition(":")[0] for found in store.audit_log.find_breaks(heads)]


def forged_mark(store: Store, number: int, mac: str) -> None:
    [writer] = {head.writer for head in store.audit_log.chain_heads()}
    columns = "writer, number, mac, at, by, purge_writer, purge_number, purge_mac, proof"
    execute(store, f"DELETE FROM audit WHERE number <= {number}")  # noqa: S608 - the attack is on the table
    values = f"'{writer}', {number}, '{mac}', {NOW}, 'local:me', '{writer}', {number}, '{mac}', '{'0' * 64}'"
    execute(store, f"INSERT INTO purged ({columns}) VALUES ({values})")  # noqa: S608 - as above


@attack(AREA, "The oldest records are deleted, and a purge mark is put in their place without the key")
async def forged_purge(ground: AttackContext) -> str:
    with closing(write_records(ground)) as store:
        heads = store.audit_log.chain_heads()
        forged_mark(store, 3, "a" * 64)
        assert verify_chain(store, *heads) == ["purged without proof", "missing"]
    return "found: the mark has no valid MAC, and records are missing"


@attack(AREA, "Every record is deleted, and a purge mark covers a million of them")
async def purged_whole(ground: AttackContext) -> str:
    with closing(write_records(ground)) as store:
        heads = store.audit_log.chain_heads()
        forged_mark(store, 1_000_000, "00")
        assert verify_chain(store, *heads) == ["purged without proof", "cut off"]
    return "found: the mark has no valid MAC, and the exported head is not there"


@attack(AREA, "A genuine purge mark is moved on by two records, which are deleted")
async def moved_mark(ground: AttackContext) -> str:
    with closing(write_records(ground)) as store:
        assert store.audit_log.purge(NOW + 2, by="local:me", at=NOW + 10) == 2
        execute(store, "UPDATE purged SET number = 4, mac = (SELECT mac FROM audit WHERE number = 4)")
        execute(store, "DELETE FROM audit WHERE number <= 4")
        assert "purged without proof" in verify_chain(store)
    return "found: the mark's MAC covers up to where it goes"


@attack(AREA, "The mark of a purge is deleted with all that is left of its chain")
async def deleted_mark(ground: AttackContext) -> str:
    with closing(write_records(ground)) as old:
        [head] = old.audit_log.chain_heads()
    with closing(open_store(ground)) as store:
        assert store.audit_log.purge(NOW + 100, by="local:me", at=NOW + 200) == 6
        execute(store, f"DELETE FROM purged WHERE writer = '{head.writer}'")  # noqa: S608 - the attack is on the table
        assert verify_chain(store) == ["cut off"]
    return "found: the record of the purge names what it removed"


@attack(AREA, "The record of a purge is cut off its chain")
async def hidden_purge(ground: AttackContext) -> str:
    with closing(write_records(ground)) as store:
        assert store.audit_log.purge(NOW + 2, by="local:me", at=NOW + 10) == 2
        execute(store, "DELETE FROM audit WHERE event = 'decided'")
        assert verify_chain(store) == ["cut off"]
    return "found: the purge mark names its record"


@attack(AREA, "Records are altered, and then a purge is to remove them")
async def laundered(ground: AttackContext) -> str:
    with closing(write_records(ground)) as store:
        execute(store, "DELETE FROM audit WHERE number = 2")
        with pytest.raises(StoreError, match="Nothing was purged"):
            store.audit_log.purge(NOW + 100, by="local:me", at=NOW + 200)
        assert verify_chain(store) == ["missing"]
    return "refused: an audit that does not hold is not purged"


@attack(AREA, "The whole chain of one process is deleted")
async def whole_chain(ground: AttackContext) -> str:
    with closing(write_records(ground)) as first:
        [head] = first.audit_log.chain_heads()
    with closing(open_store(ground)) as store:
        store.commit("later", {}, NOW + 10)
        execute(store, f"DELETE FROM audit WHERE writer = '{head.writer}'")  # noqa: S608 - the attack is on the table
        assert verify_chain(store) == ["cut off"]
    return "found: the next process named its last record"


@attack(AREA, "The records of two SaaS are exchanged")
async def exchanged(ground: AttackContext) -> str:
    for name in ("one", "other"):
        write_records(ground, name).close()
    files = [next(ground.folder.glob(f"{name}-*.sqlite3")) for name in ("one", "other")]
    aside = ground.folder / "aside"
    files[0].rename(aside)
    files[1].rename(files[0])
    aside.rename(files[1])
    for name in ("one", "other"):
        with closing(open_store(ground, name)) as store:
            assert verify_chain(store) == ["not verified"]
            with pytest.raises(WrongKey):
                store.commit("later", {}, NOW + 10)
    return "found: each store has keys of its own, and nothing is written to one that is another's"


@attack(AREA, "A record is shown in another place of the order by another time")
async def reordered(ground: AttackContext) -> str:
    with closing(write_records(ground)) as store:
        execute(store, f"UPDATE audit SET at = {NOW + 100} WHERE number = 1")  # noqa: S608 - as above
        assert verify_chain(store) == [
            "modified, inserted from another chain, or signed with a key that was not supplied"
        ]
    return "found: the order is of times and numbers, which the MACs cover"


@attack(AREA, "A record is replaced by one that cannot be read")
async def unreadable(ground: AttackContext) -> str:
    with closing(write_records(ground)) as store:
        deep = "[" * 100_000
        for change in (
            "record = x'00ff', at = 'never' WHERE number = 2",
            f"record = '{deep}', follows = '{deep}' WHERE number = 3",
            "event = 'other', at = 1e300, follows = '[[[1],1,2],[\"w\",\"x\",3]]' WHERE number = 4",
            "number = 'many', mac = 7 WHERE number = 5",
        ):
            execute(store, f"UPDATE audit SET {change}")  # noqa: S608 - the attack is on the table
        shown = [record["call"] for record in store.audit_log.list_records()]
        assert sorted(shown) == [f"call-{number}" for number in range(6)]
        assert len(store.audit_log.newest_records(10)) == 6
        assert len(verify_chain(store)) >= 4
        session = ConsoleSession(OWNER, "", NOW, NOW + 60)
        assert audit_page(
            PageRequest(build_console(ground, store), {"from": "2026-01-01"}, {}, session, Reader.of("en"))
        ).values["records"]
    return "found; every record is still shown"


@attack(AREA, "The id of the key is deleted from the store, so that any key fits")
async def no_key_id(ground: AttackContext) -> str:
    write_records(ground).close()
    with closing(open_store(ground, "saas", b"o" * 32)) as store:
        execute(store, "DELETE FROM keys")
        with pytest.raises(WrongKey, match="the key id was removed"):
            store.commit("later", {}, NOW + 10)
    with closing(open_store(ground)) as store:
        assert verify_chain(store) == ["the id of the key that it was written under was removed"]
    return "refused, and found by a verification"


@attack(AREA, "A process with another key writes to the store, even a read")
async def another_key(ground: AttackContext) -> str:
    write_records(ground).close()
    api = StubApi(ground.catalogue)
    with closing(open_store(ground, "saas", b"o" * 32)) as store:
        answer = await build_pipeline(api, store).run(Call("auth_get_roles", {}, PRINCIPAL))
        assert isinstance(answer, ToolAnswer)
        assert "The sealing key does not belong to the store" in answer.text
        assert not api.sent
    with closing(open_store(ground)) as store:
        assert (len(store.audit_log.list_records()), verify_chain(store)) == (6, [])
    return "refused; nothing is sent, and the audit still verifies"


@attack(AREA, "The sealing key of a laptop is deleted, and a server is started")
async def key_file_deleted(_: AttackContext) -> str:
    assert run_command("call", "--sandbox", "auth_get_roles", "{}").status == 0
    state = Path(os.environ["SAASUS_MCP_STATE_DIR"])
    (state / "sealing.key").unlink()
    refused = run_command("call", "--sandbox", "auth_get_roles", "{}")
    assert refused.status == 1
    assert "sealing.key in the state folder" in refused.err
    verified = run_command("audit", "verify")
    assert verified.status == 1
    assert "not a key of the store" in verified.out
    return "it does not start and says why; audit verify says that the key is another one"


@attack(AREA, "Refused calls with 4 MB each fill the disk")
async def refused_megabytes(ground: AttackContext) -> str:
    with closing(open_store(ground)) as store:
        gate = build_pipeline(StubApi(ground.catalogue), store, PRESETS["read-only"])
        for _ in range(4):
            wanted = {"role_name": "r", "display_name": "x" * 4_000_000}
            answer = await gate.run(Call("auth_create_role", wanted, PRINCIPAL))
            assert isinstance(answer, ToolAnswer)
            assert not answer.ok
        sizes = [len(json.dumps(record)) for record in store.audit_log.list_records()]
        assert len(sizes) == 4
        assert max(sizes) < 4_000
    return "each refusal keeps a digest, the length and the beginning: less than 4 KB"


@attack(AREA, "A call with 100,000 small arguments fills a record")
async def many_arguments(_: AttackContext) -> str:
    wide = {f"name-{number}": number for number in range(100_000)}
    deep: Any = "x"
    for _level in range(200):
        deep = {"a": deep, "b": ["y" * 100] * 40}
    for arguments in (wide, deep, [["x" * 900] * 49] * 49, {"k" * 5000: {"l" * 5000: 10**4000}}):
        record = dict.fromkeys(map(str, range(30)), "g" * 900) | {"arguments": arguments}
        text = encode_bounded(record)
        assert len(text.encode()) <= MAX_RECORD_BYTES
        assert text == encode_bounded(record)
    return "a record has at most 16 KiB, and the same call makes the same record"


@attack(AREA, "A page of the audit in the console over large records")
async def large_page(ground: AttackContext) -> str:
    with closing(open_store(ground)) as store:
        for number in range(100):
            store.record_refusal(f"call-{number}", {"arguments": [["界" * 900] * 9] * 9}, NOW + number)
        desk = build_console(ground, store)
        session = ConsoleSession(OWNER, "", NOW, NOW + 60)
        page = audit_page(PageRequest(desk, {"from": "2026-01-01"}, {}, session, Reader.of("en")))
        size, older = len(json.dumps(page.values["records"], default=str)), page.values["older"]
        assert size < 1_000_000
        assert older
        assert audit_page(
            PageRequest(desk, {"from": "2026-01-01", "before": older}, {}, session, Reader.of("en"))
        ).values["records"]
    return "the page ends after 256 KiB of records, and a link leads to the older ones"


@attack(AREA, "An address of the audit's page with a place that was made up")
async def forged_place(ground: AttackContext) -> str:
    with closing(write_records(ground)) as store:
        session = ConsoleSession(OWNER, "", NOW, NOW + 60)
        for before in ("x", "1e999_a_1", "nan_a_1", "1.0_';--_1", f"{NOW + 9}_{'f' * 16}_{2**40}", "9" * 400):
            asked = PageRequest(
                build_console(ground, store), {"before": before, "from": "2026-01-01"}, {}, session, Reader.of("en")
            )
            assert len(audit_page(asked).values["records"]) == 6
    return "the newest records are shown"


@attack(AREA, "A secret is revealed while nothing can be recorded")
async def unrecorded_reveal(ground: AttackContext) -> str:
    sealer, hiding = Encryptor.ephemeral(), SecretCollector()
    handle = hiding.add("hush-hush")
    with closing(open_store(ground)) as store:
        handles = SecretVault(store, sealer, lambda: NOW)
        handles.store_secrets(hiding, "token:bob", "production", operation="auth.CreateSaasUser", call="c" * 32)
        with ground.monkeypatch.context() as broken:
            broken.setattr(store.audit_log, "append", raise_error)
            with pytest.raises(StoreError):
                handles.reveal(handle, by="token:boss", via="console")
        assert handles.reveal(handle, by="token:boss", via="console") == "hush-hush"
        [record] = store.audit_log.list_records()
        told = {"principal": "token:boss", "operation": "auth.CreateSaasUser", "from_call": "c" * 32}
        assert told.items() <= record.items()
        assert "hush" not in json.dumps(record)
    return "not shown; later it is, and the record has its handle, operation and call"


def raise_error(*_: Any, **__: Any) -> None:
    raise StoreError.of("store.unusable", reason="The disk is full")


@attack(AREA, "An approval is given while nothing can be recorded")
async def unrecorded_approval(ground: AttackContext) -> str:
    with closing(open_store(ground)) as store:
        asked = request_approval(store, "preview")
        with ground.monkeypatch.context() as broken:
            broken.setattr(store.audit_log, "append", raise_error)
            with pytest.raises(StoreError):
                ApprovalService(store).approve(asked, asked.name, "local:boss", NOW + 1)
        assert store.list_approvals(NOW + 1)[0].status == "pending"
        ApprovalService(store).approve(asked, asked.name, "local:boss", NOW + 2)
        assert [record["action"] for record in store.audit_log.list_records()] == ["approve"]
    return "it stays pending; given later, it is recorded once"


@attack(AREA, "A question of ten megabytes is kept for a person")
async def large_question(ground: AttackContext) -> str:
    with closing(open_store(ground)) as store:
        with pytest.raises(CallRefused, match="characters"):
            request_approval(store, "x" * 10_000_000)
        assert store.list_approvals(NOW) == []
    return "refused; the error names the limit"


def build_question(text: str) -> Question:
    return Question("auth_delete_tenant", Text(text, text), "Acme", Destination("production", "saas"), "token:bob")


def request_approval(store: Store, preview: str) -> Any:
    binding = Binding("auth.DeleteTenant", "0" * 64, "token:bob", "production", "saas")
    _, asked = ApprovalService(store).obtain_proof(binding, TargetSnapshot("Acme"), build_question(preview), NOW)
    return asked


@attack(AREA, "A freeze from a terminal that is to leave no trace")
async def terminal_decisions(_: AttackContext) -> str:
    assert run_command("freeze", "--reason", "an incident").status == 0
    exported = [json.loads(line) for line in run_command("audit", "export").out.splitlines()]
    assert [(record["action"], record["via"], record["reason"]) for record in exported] == [
        ("freeze", "terminal", "an incident")
    ]
    assert len(run_command("audit", "search", "--event", "decided").out.splitlines()) == 1
    assert run_command("audit", "verify").status == 0
    return "recorded in the audit of the decisions that concern every SaaS, which audit search and verify include"


@attack(AREA, "A file of sealing keys that others can read, or that is a link")
async def open_key_file(ground: AttackContext) -> str:
    file = ground.folder / "sealing_key"
    file.write_text("A" * 43 + "=\n", encoding="ascii")
    link = ground.folder / "link"
    link.symlink_to(file)
    for mode, named in ((0o644, file), (0o600, link)):
        file.chmod(mode)
        ground.monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS_FILE", str(named))
        with pytest.raises(SettingsError, match="SAASUS_MCP_SEALING_KEYS_FILE"):
            read_settings()
    ground.monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS_FILE", str(file))
    assert len(read_settings().sealing_keys) == 1
    return "refused; the error names the setting and the fix"


def build_console(ground: AttackContext, store: Store) -> ConsoleService:
    rooms = [ProfileContext("production", frozenset({"operators"}), lambda: store)]
    return ConsoleService(
        list_contexts=lambda: rooms,
        catalogue=ground.catalogue,
        policy=PRESETS["guarded"],
        read_policy=lambda: PolicyText(""),
        encryptor=Encryptor.ephemeral(),
        clock=lambda: NOW + 100,
    )

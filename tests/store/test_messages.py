"""Errors of the store are complete in both languages."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from saasus_mcp.store.errors import AlreadyUsed, BudgetExceeded, StoreError, WritesFrozen
from saasus_mcp.store.records import BudgetCost, Commitment, Freeze, ProofUse
from saasus_mcp.store.store import Store
from saasus_mcp.store.tokens import TOKENS_FILE, TokenStore
from tests.support.saas_store import open_saas_store

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("freeze", "id", "japanese"),
    [
        (Freeze(NOW, "local:me", ""), "all", "すべての書き込みは凍結されています(実行者: local:me)。"),
        (Freeze(NOW, "local:me", "障害"), "all_reason", "理由: 「障害」"),
        (Freeze(NOW, "local:me", "", "prod"), "profile", "プロファイル「prod」の書き込みはすべて凍結されています"),
        (Freeze(NOW, "local:me", "障害", "prod"), "profile_reason", "理由: 「障害」"),
    ],
)
def test_a_freeze_is_explained_in_both_languages(freeze: Freeze, id: str, japanese: str) -> None:
    store = Store.in_memory()
    store.freeze(freeze)
    with pytest.raises(WritesFrozen) as caught:
        store.commit("call", {}, NOW, commitment=Commitment(writes=True, profile="prod"))
    assert caught.value.message.id == f"store.frozen.{id}"
    assert japanese in caught.value.text("ja")
    assert ("unfreeze --profile prod" if freeze.profile else "unfreeze`") in caught.value.text("en")


@pytest.mark.parametrize(("window", "period"), [(60, "1分間"), (3600, "1時間"), (300, "300秒間")])
def test_an_exceeded_budget_is_explained_in_both_languages(window: int, period: str) -> None:
    costs = (BudgetCost("local:me", "writes", 2, 1, window),)
    with pytest.raises(BudgetExceeded) as caught:
        Store.in_memory().commit("call", {}, NOW, commitment=Commitment(costs=costs))
    assert caught.value.message.id == "store.budget_exceeded.writes"
    assert f"{period}の書き込みが2件になります" in caught.value.text("ja")


@pytest.mark.parametrize(
    ("kind", "id"), [("confirmation", "store.confirmation_used"), ("approval", "store.approval_used")]
)
def test_a_used_proof_is_explained_in_both_languages(kind: str, id: str) -> None:
    store = Store.in_memory()
    proof = ProofUse("confirmation" if kind == "confirmation" else "approval", "used")
    if kind == "confirmation":
        store.commit("first", {}, NOW, proof)
    with pytest.raises(AlreadyUsed) as caught:
        store.commit("second", {}, NOW, proof)
    assert caught.value.message.id == id
    assert caught.value.text("ja").endswith("もう一度依頼してください。")


def test_a_state_folder_that_cannot_be_used_is_explained_in_both_languages(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StoreError) as caught:
        open_saas_store(tmp_path / "state", "saas")
    assert caught.value.message.id == "files.unsafe.no_folder"
    assert "フォルダーではありません" in caught.value.text("ja")


@pytest.mark.parametrize("damage", ["other content", "a lost page"])
def test_a_damaged_file_is_named_with_its_fix_and_without_its_folder(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "state"
    TokenStore.open(folder).close()
    file = folder / TOKENS_FILE
    content = file.read_bytes()
    file.write_bytes(b"x" * 5000 if damage == "other content" else content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(StoreError) as caught, closing(TokenStore.open(folder)) as opened:
        opened.list_tokens()
    text = caught.value.text("en")
    assert (caught.value.message.id, TOKENS_FILE in text, "backup" in text) == ("store.damaged", True, True)
    assert str(tmp_path) not in text

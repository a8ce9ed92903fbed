"""The freeze and the ceilings: judged in the transaction that lets a call go, and given back where nothing changed."""

from __future__ import annotations

import pytest

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.policy.budgets import DEFAULT_CEILINGS, budget_costs
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.store.errors import AlreadyUsed, BudgetExceeded, WritesFrozen
from saasus_mcp.store.records import BudgetCost, BudgetUsage, CallOutcome, Commitment, Freeze, ProofUse, UndoEntry
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import Stores

NOW = 1_790_000_000.0
ME, YOU = Principal("local:me"), Principal("local:you")
WRITE = Commitment(writes=True)
ALPHA, BETA = (Commitment(writes=True, profile=name) for name in ("alpha", "beta"))


def destructive(amount: int = 1, who: str = ME.id) -> Commitment:
    return Commitment(writes=True, costs=(BudgetCost(who, "destructive", amount, 3, 3600),))


def test_a_freeze_holds_every_write_back_and_no_read(store: Store) -> None:
    store.freeze(Freeze(NOW, "local:operator", "an incident"))
    with pytest.raises(WritesFrozen, match="an incident"):
        store.commit("a", {}, NOW, commitment=WRITE)
    store.commit("b", {}, NOW)
    assert [record["call"] for record in store.audit_log.list_records()] == ["b"]
    store.unfreeze()
    store.commit("c", {}, NOW, commitment=WRITE)
    assert store.active_freeze() is None


def test_a_freeze_holds_a_call_that_has_its_yes_too_and_leaves_the_yes(store: Store) -> None:
    yes = ProofUse("confirmation", "nonce")
    store.freeze(Freeze(NOW, "local:operator", "an incident"))
    with pytest.raises(WritesFrozen):
        store.commit("a", {}, NOW, yes, commitment=WRITE)
    store.unfreeze()
    store.commit("b", {}, NOW, yes, commitment=WRITE)
    with pytest.raises(AlreadyUsed):
        store.commit("c", {}, NOW, yes, commitment=WRITE)


def test_a_freeze_of_everything_holds_every_store_those_made_later_included(kept: Stores) -> None:
    early = kept.open_saas("saas-1")
    kept.set_freeze(Freeze(NOW, "local:operator", "an incident"))
    late = kept.open_saas("saas-2")
    for store in (early, late):
        with pytest.raises(WritesFrozen, match="local:operator: “an incident”"):
            store.commit("a", {}, NOW, commitment=WRITE)
        store.commit("b", {}, NOW)
        assert store.active_freeze() == Freeze(NOW, "local:operator", "an incident")
    early.freeze(Freeze(NOW, "local:other", ""))
    kept.set_freeze(None)
    with pytest.raises(WritesFrozen, match="local:other"):
        early.commit("c", {}, NOW, commitment=WRITE)
    late.commit("c", {}, NOW, commitment=WRITE)
    early.close()
    late.close()


def test_a_freeze_of_one_profile_holds_its_writes_and_no_other_profiles(store: Store) -> None:
    store.freeze(Freeze(NOW, "token:olga", "an incident", "alpha"))
    for name, commitment in (("alpha", ALPHA), ("a call of a profile that is not known", WRITE)):
        with pytest.raises(WritesFrozen, match="of the profile “alpha” are frozen by token:olga"):
            store.commit(name, {}, NOW, commitment=commitment)
    store.commit("beta", {}, NOW, commitment=BETA)
    assert store.active_freeze("beta") is None


def test_two_freezes_both_hold_until_each_is_lifted(store: Store) -> None:
    store.freeze(Freeze(NOW, "local:root", "everything"))
    store.freeze(Freeze(NOW, "token:olga", "alpha alone", "alpha"))
    for lifted, held, goes in ((None, (ALPHA, BETA), ()), ("", (ALPHA,), (BETA,)), ("alpha", (), (ALPHA, BETA))):
        if lifted is not None:
            store.unfreeze(lifted)
        for commitment in held:
            with pytest.raises(WritesFrozen):
                store.commit("held", {}, NOW, commitment=commitment)
        for number, commitment in enumerate(goes):
            store.commit(f"goes-{lifted}-{number}", {}, NOW, commitment=commitment)


def test_a_second_freeze_of_a_profile_takes_the_place_of_the_first(store: Store) -> None:
    for reason in ("one", "two"):
        store.freeze(Freeze(NOW, "token:olga", reason, "alpha"))
    assert [each.reason for each in store.active_freezes("alpha")] == ["two"]
    store.unfreeze("alpha")
    assert store.active_freezes() == []


@pytest.mark.parametrize("name", ["Alpha", "alpha ", "%", "alph_", "' or '1'='1"])
def test_a_profile_is_frozen_by_exactly_its_name(store: Store, name: str) -> None:
    store.freeze(Freeze(NOW, "token:olga", "", name))
    store.commit("alpha", {}, NOW, commitment=ALPHA)
    store.unfreeze("alpha")
    assert [each.profile for each in store.active_freezes()] == [name]


def test_a_freeze_of_everything_is_one_whatever_profile_it_says(kept: Stores) -> None:
    kept.set_freeze(Freeze(NOW, "local:operator", "an incident", "alpha"))
    store = kept.open_saas("saas-1")
    with pytest.raises(WritesFrozen) as caught:
        store.commit("beta", {}, NOW, commitment=BETA)
    assert caught.value.message.id == "store.frozen.all_reason"
    kept.set_freeze(None)
    store.commit("beta", {}, NOW, commitment=BETA)
    store.close()


def test_used_budget_is_shown_by_profile_and_counted_over_all(store: Store) -> None:
    for name in ("alpha", "beta"):
        taken = Commitment(writes=True, profile=name, costs=(BudgetCost(ME.id, "destructive", 1, 2, 3600),))
        store.commit(name, {}, NOW, commitment=taken)
    assert store.budget_usage({"destructive": 3600}, NOW, "alpha") == [BudgetUsage(ME.id, "destructive", 1)]
    assert store.budget_usage({"destructive": 3600}, NOW) == [BudgetUsage(ME.id, "destructive", 2)]
    with pytest.raises(BudgetExceeded):
        store.commit("one too many", {}, NOW, commitment=taken)


def test_a_ceiling_holds_per_principal_and_hour(store: Store) -> None:
    for number in range(3):
        store.commit(f"call-{number}", {}, NOW, commitment=destructive())
    with pytest.raises(BudgetExceeded, match="4 destructive calls within an hour; the limit is 3"):
        store.commit("one too many", {}, NOW, commitment=destructive())
    store.commit("another's", {}, NOW, commitment=destructive(who=YOU.id))
    store.commit("an hour later", {}, NOW + 3601, commitment=destructive())


def test_used_budget_is_shown_for_as_long_as_it_counts(store: Store) -> None:
    store.commit("a", {}, NOW, commitment=destructive(2))
    assert store.budget_usage({"destructive": 3600}, NOW + 3599) == [BudgetUsage(ME.id, "destructive", 2)]
    assert store.budget_usage({"destructive": 3600}, NOW + 3600) == []


def test_each_ceiling_has_a_window_of_its_own(store: Store) -> None:
    write = Commitment(writes=True, costs=(BudgetCost(ME.id, "writes", 1, 1, 60),))
    store.commit("a", {}, NOW, commitment=write)
    with pytest.raises(BudgetExceeded, match="2 writes within a minute"):
        store.commit("b", {}, NOW + 59, commitment=write)
    store.commit("c", {}, NOW + 60, commitment=write)


def test_a_refused_write_takes_no_turn(store: Store) -> None:
    both = Commitment(
        writes=True, costs=(BudgetCost(ME.id, "writes", 1, 10, 60), BudgetCost(ME.id, "destructive", 9, 3, 3600))
    )
    with pytest.raises(BudgetExceeded):
        store.commit("a", {}, NOW, commitment=both)
    store.commit("b", {}, NOW, commitment=Commitment(costs=(BudgetCost(ME.id, "writes", 10, 10, 60),)))


def test_the_turn_of_an_ineffective_write_is_returned(store: Store) -> None:
    store.commit("a", {}, NOW, commitment=destructive(3))
    store.finish_call("a", {}, NOW, CallOutcome(changed=False))
    store.commit("b", {}, NOW, commitment=destructive(3))
    store.finish_call("b", {}, NOW, CallOutcome(changed=True))
    with pytest.raises(BudgetExceeded):
        store.commit("c", {}, NOW, commitment=destructive())


def test_the_journal_keeps_what_was_there_and_forgets_what_was_not_done(store: Store) -> None:
    for call in ("done", "refused"):
        entry = UndoEntry(
            call, NOW, "auth.UpdateRole", ME.id, "default", {"role_name": "a"}, {"display_name": "before"}
        )
        store.commit(call, {}, NOW, commitment=Commitment(writes=True, undo_entry=entry))
    store.finish_call("done", {}, NOW, CallOutcome(changed=True, result={"applied": True}))
    store.finish_call("refused", {}, NOW, CallOutcome(changed=False))
    [kept] = store.undo_log.list_entries()
    assert (kept.call, kept.before, kept.result) == ("done", {"display_name": "before"}, {"applied": True})
    store.commit("later", {}, NOW, commitment=Commitment(undoes=("done", 0)))
    with pytest.raises(AlreadyUsed):
        store.commit("again", {}, NOW, commitment=Commitment(undoes=("done", 0)))
    found = store.undo_log.get("done")
    assert found is not None
    assert found.undone == {0: "later"}
    assert store.undo_log.get("refused") is None
    assert store.undo_log.purge(NOW + 1) == 1


def test_reads_take_nothing_and_graver_calls_take_more(catalogue: Catalogue) -> None:
    def kinds(key: str, users: int | None = None) -> dict[str, int]:
        return {cost.kind: cost.amount for cost in budget_costs({}, catalogue.find(key), ME, users)}

    assert kinds("auth.GetTenants") == {}
    assert kinds("auth.CreateTenant") == {"writes": 1}
    assert kinds("auth.DeleteTenant", 20) == {"writes": 1, "destructive": 1, "users": 20}
    assert kinds("auth.DeleteTenant", 0) == {"writes": 1, "destructive": 1}
    assert kinds("auth.DeleteSaasUser") == {"writes": 1, "destructive": 1, "users": 1}
    assert kinds("auth.DeleteTenant") == {"writes": 1, "destructive": 1, "users": 1}, "unread counts as one"


def test_users_that_nobody_could_count_take_the_whole_budget_where_nobody_was_asked(catalogue: Catalogue) -> None:
    tenant, user = catalogue.find("auth.DeleteTenant"), catalogue.find("auth.DeleteSaasUser")

    def users(operation: Operation, counted: int | None, ceiling: int) -> list[int]:
        taken = budget_costs({"affected_users_per_hour": ceiling}, operation, ME, counted, asked=False)
        return [cost.amount for cost in taken if cost.kind == "users"]

    assert users(tenant, None, 30) == [30]
    assert users(tenant, None, 0) == [1], "a ceiling of none lets none through"
    assert users(tenant, 7, 30) == [7]
    assert users(user, None, 30) == [1], "one person is one, whatever could be read"


def test_a_policy_overrides_ceilings_and_none_lifts_them(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.DeleteTenant")
    given = {cost.kind: cost.ceiling for cost in budget_costs({"destructive_per_hour": 2}, operation, ME, 5)}
    assert given == {
        "writes": DEFAULT_CEILINGS["writes_per_minute"],
        "destructive": 2,
        "users": DEFAULT_CEILINGS["affected_users_per_hour"],
    }
    assert budget_costs(None, operation, ME, 5) == ()


def test_a_read_takes_no_transaction_of_its_own(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> None:
        raise AssertionError("a read waits for no write")

    read, at = {"operation": "auth.GetRoles"}, 1_790_000_000.0
    store.commit("call-1", read, at)  # begins the chain of this process
    monkeypatch.setattr(store.audit_log, "write_transaction", never)
    store.commit("call-2", read, at + 1)
    assert [record["call"] for record in store.audit_log.list_records()] == ["call-1", "call-2"]

"""What a narrowing leaves, how two of them combine, and how its lists are read: strictly, and at a bounded cost."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.catalog import Catalogue, load_catalogue
from saasus_mcp.catalog.jobs import JOBS_TOOLSET, load_jobs
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.policy.model import PolicyInput, Principal
from saasus_mcp.permissions.policy.narrowing import EXCLUDE_ALL, NO_NARROWING, Narrowing
from saasus_mcp.permissions.policy.presets import PRESETS, UnsafeAllowAllPolicy
from saasus_mcp.permissions.policy.wrappers import NarrowedPolicy
from saasus_mcp.permissions.refusal import Reason
from saasus_mcp.server.surface import narrowing
from saasus_mcp.server.surface.narrowing import NarrowingError, ToolNames, matches_asterisks
from saasus_mcp.server.surface.toolsets import TOOLSETS
from tests.support.timing import cpu_seconds

OPERATIONS = list(load_catalogue())
NAMES = [each.tool for each in OPERATIONS]
SOME_TOOLS = st.frozensets(st.sampled_from(NAMES), max_size=6)
SOME_TOOLSETS = st.frozensets(st.sampled_from(sorted(TOOLSETS)), max_size=4)
NARROWINGS = st.builds(
    Narrowing, st.none() | SOME_TOOLSETS, st.none() | SOME_TOOLS, SOME_TOOLS, st.booleans()
) | st.sampled_from([NO_NARROWING, EXCLUDE_ALL])


@given(one=NARROWINGS, other=NARROWINGS)
def test_two_narrowings_leave_what_both_leave_and_never_more(one: Narrowing, other: Narrowing) -> None:
    for each in OPERATIONS:
        left = not (one & other).exclusion_reason(each)
        assert left == (not one.exclusion_reason(each) and not other.exclusion_reason(each))
    assert one & NO_NARROWING == NO_NARROWING & one == one


@given(narrowing=NARROWINGS, job=st.sampled_from([spec.name for spec in load_jobs()]))
def test_a_job_of_a_narrowed_connection_lifts_no_exclusion_and_needs_to_be_selected(
    narrowing: Narrowing, job: str
) -> None:
    within, selected = narrowing.for_job(job), not narrowing.exclusion_reason_by_name(job, JOBS_TOOLSET)
    for each in OPERATIONS:
        left = not within.exclusion_reason(each)
        assert not left or (selected and each.tool not in narrowing.exclude and (each.reads or not narrowing.read_only))


@given(narrowing=NARROWINGS)
def test_a_narrowing_that_was_kept_is_the_same(narrowing: Narrowing) -> None:
    assert Narrowing.from_json(narrowing.to_json()) == narrowing


def test_the_audit_keeps_the_first_of_many_names_and_their_count() -> None:
    told = Narrowing(tools=frozenset(NAMES)).to_audit()["tools"]
    assert told[-1] == f"and {len(NAMES) - 20} more"
    assert told[:-1] == sorted(NAMES)[:20]


@pytest.mark.slow
@given(narrowing=NARROWINGS)
def test_no_policy_allows_what_the_narrowing_leaves_out(narrowing: Narrowing) -> None:
    who = Principal("token:a", narrowing=narrowing)
    for under in (PRESETS["guarded"], UnsafeAllowAllPolicy()):
        ceiling = NarrowedPolicy(under)
        for each in OPERATIONS:
            case, plain = PolicyInput(each, {}, who), PolicyInput(each, {}, who.without_narrowing)
            decision = ceiling.decide(case)
            if narrowing.exclusion_reason(each):
                assert (decision.outcome, decision.refusal_reason) == ("deny", Reason.NARROWED)
                assert not ceiling.could_allow(each, who)
            else:
                assert decision == under.decide(plain)
                assert ceiling.could_allow(each, who) == under.could_allow(each, who)


def test_a_list_may_name_every_tool_there_is(catalogue: Catalogue) -> None:
    names = ToolNames(catalogue)
    own = {spec.name for spec in load_jobs()} | narrowing.HELPER_TOOLS
    everything = names.resolve(",".join([*NAMES, *own]), "--tools")
    assert everything == {*NAMES, *own} == names.resolve("*", "--tools")


def test_a_former_name_stands_for_the_present_one() -> None:
    former = Catalogue(tuple(OPERATIONS), {"auth_erase_tenant": "auth_delete_tenant"}, "v")
    names = ToolNames(former)
    assert (
        names.resolve("auth_erase_tenant", "--tools") == {"auth_delete_tenant"} == names.resolve("*_erase_*", "--tools")
    )


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "--tools: there is no tool 'auth_get_tenantz'. Nearest: auth_get_tenant,"),
        ("ja", "--tools: 'auth_get_tenantz'というツールはありません。"),
    ],
)
def test_a_tool_that_there_is_not_is_named_with_the_nearest(catalogue: Catalogue, lang: Language, said: str) -> None:
    with pytest.raises(NarrowingError) as refused:
        ToolNames(catalogue).resolve("auth_get_tenants,auth_get_tenantz", "--tools")
    assert refused.value.text(lang).startswith(said)


@pytest.mark.parametrize(
    ("name", "glob", "wanted"),
    [
        ("auth_get_role", "auth_*", True),
        ("auth_get_role", "*role", True),
        ("auth_get_role", "*get*", True),
        ("auth_get_role", "a*t*_*e", True),
        ("auth_get_role", "**", True),
        ("auth_get_role", "auth_get_role*", True),
        ("auth_get_role", "*auth_get_role", True),
        ("auth_get_role", "auth", False),
        ("auth_get_role", "get*", False),
        ("auth_get_role", "*_get", False),
        ("auth_get_role", "*role*get*", False),
        ("aba", "ab*ba", False),
        ("abba", "ab*ba", True),
        ("auth_get_role", "AUTH_*", False),
    ],
)
def test_an_asterisk_stands_for_any_characters(name: str, glob: str, wanted: bool) -> None:
    assert ("*" in glob and matches_asterisks(name, glob)) is wanted


def test_the_cost_of_a_glob_grows_with_its_length_and_not_with_its_power() -> None:
    """Pieces that almost fit in many places are what makes a matcher that goes back and tries again slow."""

    def match(size: int) -> None:
        name, glob = "ab" * size + "c", "*ab*ab*ab*abd*"
        for _ in range(2_000):
            assert not matches_asterisks(name, glob)

    most = 16 * cpu_seconds(partial(match, 200), runs=5)
    assert cpu_seconds(partial(match, 800), runs=5, enough=most) < most, (
        "quadratic would be 16 times as much, and what goes back far more"
    )


@pytest.mark.parametrize(
    "text", ["*a*b*c*d*", "a*" + "b" * 80, ",".join(f"auth_{n}*" for n in range(33)), "time_now," * 2_000]
)
def test_a_list_that_would_cost_too_much_is_refused_before_anything_is_matched(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(narrowing, "matches_asterisks", None)
    with pytest.raises(NarrowingError):
        ToolNames(catalogue).resolve(text, "--tools")


@pytest.mark.parametrize("text", ["all", " all ", "users,all"])
def test_all_toolsets_are_named_by_all(text: str) -> None:
    assert narrowing.parse_toolsets(text, "X") is None

"""Every attack of the corpus ends as it must, no call is sent without the proof that its decision demands, and the table in the
documentation shows the result of this run.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

from saasus_mcp.catalog import Catalogue
from tests.support.attack_cases import (
    ANSWERS,
    INJECTIONS,
    OPERATIONS,
    POLICIES,
    REQUIRED_PROOF,
    Attack,
    generate_attacks,
)
from tests.support.attack_tricks import count_sends, play_attack
from tests.support.policies import build_case, decide_case

TABLE = Path(__file__).parents[2] / "docs" / "attacks.md"
HEAD = """\
# Attacks on the gate

Made by the test run (`make attacks`); a test fails where this page is not what the run gave. Each line was played in the protocol
eras it names, by a real client of the SDK, against a pipeline whose API records what reaches it. A send is *unauthorised* when
it went without the yes that its policy demands, counted by what people said and not by what the server believes. A client that
answers its own questions counts as a yes to a confirmation, never to an approval: that is what each of them is worth.

**{cases} cases, {sends} sends, {wrong} of them unauthorised.**

| attack | policy | operation's level | ended | eras |
| --- | --- | --- | --- | --- |
"""


@pytest.mark.slow
async def test_every_attack_ends_as_it_must_and_none_gets_through(catalogue: Catalogue) -> None:
    ended: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    counted: list[tuple[int, int]] = []
    failures: list[str] = []
    for attack in generate_attacks():
        async with play_attack(catalogue, attack) as play:
            counted.append((len(play.stage.api.writes), play.unauthorised()))
            if play.ending() != attack.end or play.unauthorised():
                failures.append(
                    f"{attack.id}: {play.ending()} instead of {attack.end}, {play.unauthorised()} unauthorised"
                )
            ended[_trick(attack), attack.policy, attack.level, play.ending()].append(attack.era)
    assert not failures, "\n".join(failures)
    cases, sends, wrong = count_sends(counted)
    assert cases >= 700
    assert sends > 50, "nothing was ever sent: the suite cannot fail"
    text = HEAD.format(cases=cases, sends=sends, wrong=wrong) + "\n".join(_lines(ended)) + "\n"
    if os.environ.get("ATTACKS") == "update":
        TABLE.write_text(text, encoding="utf-8")
    assert TABLE.read_text(encoding="utf-8") == text, "make attacks"


def test_what_the_suite_demands_is_what_the_policies_say(catalogue: Catalogue) -> None:
    for name, by_level in REQUIRED_PROOF.items():
        for level, demanded in by_level.items():
            if name not in ("live state", "turning"):
                decided, _ = decide_case(POLICIES[name], build_case(catalogue.find(OPERATIONS[level])))
                assert decided == demanded, (name, level)


def test_the_corpus_has_every_kind_of_client_and_injections_in_both_languages() -> None:
    assert {attack.trick for attack in generate_attacks()} >= set(ANSWERS)
    assert any("承認済み" in text for text in INJECTIONS)
    assert any("Approved" in text for text in INJECTIONS)


def _trick(attack: Attack) -> str:
    if not attack.text:
        return attack.trick
    shown = attack.text.encode("unicode_escape").decode() if not attack.text.isprintable() else attack.text
    cut = shown if len(shown) <= 60 else shown[:57] + "…"
    return f"{attack.trick}: `{cut.replace('|', '/').replace('`', '')}`"


def _lines(ended: dict[tuple[str, str, str, str], list[str]]) -> list[str]:
    return [f"| {' | '.join(key)} | {', '.join(sorted(set(eras)))} |" for key, eras in ended.items()]

"""Whether a regular expression takes linear time, found from the expression alone.

A backtracking engine tries every way in which a text can be matched. The ways are too many where one text leads from a loop
back into it and also into another loop (Weideman et al., "Analyzing Matching Time Behavior of Backtracking Regular Expression
Matchers by Using Ambiguity of NFA", 2016), or twice through the same loop. A search adds a loop before the expression, since it
begins again at every character. Bounded repetition counts as no loop.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Literal

Mode = Literal["search", "match", "fullmatch"]
COPIES = 3
"""Of a bounded repetition: what can go wrong between two of them is seen with three."""
SAMPLES = frozenset(map(chr, range(0x20, 0x7F))) | frozenset("\t\n\r\x00\x0b\xa0\ufeffé日あ\uff15\u0663\u2028")
"""Characters that stand for all others of their kind."""
PREFIX, GUARDED = -1, -2
"""States before the expression: anywhere, and behind a character that may not stand before it."""

Follows = set[tuple[int, int]]


@dataclass
class _Part:
    """A part of the expression.

    Attributes:
        first, last: positions with which it can begin and end.
        done: positions behind which it is matched, whatever comes.
        empty, free: whether it can be empty; and whether it can be so wherever it stands.
    """

    first: set[int] = field(default_factory=set)
    last: set[int] = field(default_factory=set)
    done: set[int] = field(default_factory=set)
    empty: bool = True
    free: bool = True


@dataclass
class Automaton:
    """The positions of the expression that take a character, and which can follow which.

    Attributes:
        twice: positions that follow each other by two loops at once.
        inner: what look-arounds look for.
        guard: characters that may not stand before the expression.
    """

    takes: list[frozenset[str]] = field(default_factory=list)
    follows: Follows = field(default_factory=set)
    loops: Follows = field(default_factory=set)
    twice: Follows = field(default_factory=set)
    guard: frozenset[str] = frozenset()
    inner: list[tuple[Any, int]] = field(default_factory=list)

    def position(self, taken: Iterable[str]) -> _Part:
        self.takes.append(frozenset(taken))
        at = {len(self.takes) - 1}
        return _Part(at, at, at, empty=False, free=False)

    def chain(self, one: _Part, other: _Part) -> _Part:
        self.follows |= set(product(one.last, other.first))
        return _Part(
            one.first | (other.first if one.empty else set()),
            other.last | (one.last if other.empty else set()),
            other.done | (one.done if other.free else set()),
            one.empty and other.empty,
            one.free and other.free,
        )

    def loop(self, part: _Part) -> None:
        again = set(product(part.last, part.first))
        self.twice |= again & self.loops
        self.loops |= again
        self.follows |= again


def superlinear(pattern: str, mode: Mode, flags: int = 0) -> str:
    """Return why matching takes more than linear time, or an empty text if it is linear."""
    tree = parser.parse(pattern, flags)
    nfa = Automaton()
    items = list(tree)
    nfa.guard = _guard(items, tree.state.flags)
    whole = _sequence(nfa, items, tree.state.flags)
    for inner, inner_flags in nfa.inner:
        why = superlinear_tree(inner, inner_flags)
        if why:
            return why
    anchored = bool(items) and items[0][0] is op.AT and items[0][1] in (op.AT_BEGINNING, op.AT_BEGINNING_STRING)
    if nfa.twice:
        return "two loops are nested, or two branches are empty"
    return _ambiguous(
        nfa, whole, set() if mode == "fullmatch" else whole.done, searches=mode == "search" and not anchored
    )


def superlinear_tree(tree: Any, flags: int) -> str:
    """Return the same for a parsed expression, such as that of a look-around."""
    nfa = Automaton()
    whole = _sequence(nfa, list(tree), flags)
    return "two loops are nested" if nfa.twice else _ambiguous(nfa, whole, whole.done, searches=False)


def _sequence(nfa: Automaton, items: list[Any], flags: int) -> _Part:
    whole = _Part()
    for item in items:
        whole = nfa.chain(whole, _item(nfa, item, flags))
    return whole


def _item(nfa: Automaton, item: Any, flags: int) -> _Part:
    code, given = item
    if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        least, most, inside = given
        return _repeated(nfa, (least, most), inside, flags)
    if code is op.SUBPATTERN:
        return _sequence(nfa, list(given[3]), (flags | given[1]) & ~given[2])
    if code is op.ATOMIC_GROUP:  # what it has matched is never tried again: outside it is as good as one character
        nfa.inner.append((given, flags))
        return nfa.position(SAMPLES)
    if code is op.BRANCH:
        parts = [_sequence(nfa, list(branch), flags) for branch in given[1]]
        if sum(part.free for part in parts) > 1:
            nfa.twice.add((PREFIX, PREFIX))
        return _Part(
            set().union(*(part.first for part in parts)),
            set().union(*(part.last for part in parts)),
            set().union(*(part.done for part in parts)),
            any(part.empty for part in parts),
            any(part.free for part in parts),
        )
    if code in (op.ASSERT, op.ASSERT_NOT):
        nfa.inner.append((given[1], flags))
        return _Part(free=False)
    if code is op.AT:
        return _Part(free=False)
    if code is op.GROUPREF:
        return nfa.position(SAMPLES)
    return nfa.position(_taken(code, given, flags))


def _repeated(nfa: Automaton, times: tuple[int, Any], inside: Any, flags: int) -> _Part:
    least, most = times
    unbounded = most is op.MAXREPEAT
    whole = _Part()
    copies = max(1, min(least, COPIES)) if unbounded else min(int(most), COPIES)
    for number in range(copies):
        part = _sequence(nfa, list(inside), flags)
        if unbounded and number == copies - 1:
            nfa.loop(part)
        if number >= least:
            part = _Part(part.first, part.last, part.done)
        whole = nfa.chain(whole, part)
    return whole


def _taken(code: Any, given: Any, flags: int) -> frozenset[str]:
    """Return the sample characters that an item of the expression matches."""
    if code is op.ANY:
        return SAMPLES if flags & re.DOTALL else SAMPLES - {"\n"}
    if code is op.LITERAL:
        return _cased(chr(given), flags)
    if code is op.NOT_LITERAL:
        return SAMPLES - _cased(chr(given), flags)
    if code is not op.IN:
        raise NotImplementedError(f"{code} is not known here")
    found: set[str] = set()
    for kind, value in given:
        if kind is op.LITERAL:
            found |= _cased(chr(value), flags)
        elif kind is op.RANGE:
            found |= {each for each in SAMPLES if value[0] <= ord(each) <= value[1]}
            found |= {chr(value[0])}
        elif kind is op.CATEGORY:
            found |= {each for each in SAMPLES if re.match(CATEGORIES[value], each, flags & re.ASCII)}
    return SAMPLES - found if given[0][0] is op.NEGATE else frozenset(found)


CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}


def _cased(character: str, flags: int) -> frozenset[str]:
    return frozenset({character.lower(), character.upper()} if flags & re.IGNORECASE else {character})


def _guard(items: list[Any], flags: int) -> frozenset[str]:
    """Return the characters that cannot precede the expression, by a look-behind or by a word boundary."""
    if not items:
        return frozenset()
    code, given = items[0]
    if code is op.ASSERT_NOT and given[0] == -1 and len(given[1]) == 1:
        taken = next(iter(given[1]))
        return _taken(taken[0], taken[1], flags)
    if code is op.AT and given is op.AT_BOUNDARY:
        return frozenset(each for each in SAMPLES if re.match(r"\w", each, flags & re.ASCII))
    if code is op.SUBPATTERN:
        return _guard(list(given[3]), flags)
    if code is op.BRANCH:
        return frozenset.intersection(*(_guard(list(branch), flags) for branch in given[1]))
    return frozenset()


def _ambiguous(nfa: Automaton, whole: _Part, accepting: set[int], *, searches: bool) -> str:
    """Return the two loops between which a text can be divided in many ways."""
    steps = _steps(nfa, whole, searches=searches)
    again = _cyclic(steps)
    undecided = _undecided(nfa, whole.first, accepting)
    for p in sorted(again):
        for q in sorted(again - {PREFIX, GUARDED} - accepting):
            if p < 0 and q not in undecided:
                continue
            if p != q and _reaches(steps, (p, p, q), (p, q, q)):
                before = "a search" if p < 0 else _shown(nfa.takes[p])
                return f"{before} and a loop over {_shown(nfa.takes[q])} can share a text"
    return ""


def _undecided(nfa: Automaton, first: set[int], accepting: set[int]) -> set[int]:
    """Return the positions that are reached before the expression is sure to match. After those a search does not begin again."""
    found = set(first)
    waiting = list(first - accepting)
    while waiting:
        at = waiting.pop()
        further = {other for one, other in nfa.follows if one == at} - found
        found |= further
        waiting += further - accepting
    return found


def _steps(nfa: Automaton, whole: _Part, *, searches: bool) -> dict[tuple[int, str], set[int]]:
    steps: dict[tuple[int, str], set[int]] = {}
    kinds: dict[tuple[bool, ...], str] = {}
    for character in SAMPLES.union(*nfa.takes):
        kinds.setdefault((character in nfa.guard, *(character in taken for taken in nfa.takes)), character)

    def add(state: int, following: Iterable[int]) -> None:
        for each in following:
            for character in nfa.takes[each].intersection(kinds.values()):
                steps.setdefault((state, character), set()).add(each)

    for one, other in nfa.follows:
        add(one, [other])
    if searches:
        add(PREFIX, whole.first)
        for state, character in product((PREFIX, GUARDED), kinds.values()):
            steps.setdefault((state, character), set()).add(GUARDED if character in nfa.guard else PREFIX)
    return steps


def _cyclic(steps: dict[tuple[int, str], set[int]]) -> set[int]:
    """Return the states that can be reached from themselves."""
    after: dict[int, set[int]] = {}
    for (state, _), following in steps.items():
        after.setdefault(state, set()).update(following)

    def beyond(state: int) -> set[int]:
        found: set[int] = set()
        waiting = [state]
        while waiting:
            for each in after.get(waiting.pop(), set()) - found:
                found.add(each)
                waiting.append(each)
        return found

    return {state for state in after if state in beyond(state)}


def _reaches(steps: dict[tuple[int, str], set[int]], start: tuple[int, int, int], end: tuple[int, int, int]) -> bool:
    """Return whether one text leads three ways at once from the first three states to the last."""
    characters = {character for _, character in steps}
    waiting, seen = [start], {start}
    while waiting:
        at = waiting.pop()
        for following in _moves(steps, at, characters):
            if following == end:
                return True
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return False


def _moves(
    steps: dict[tuple[int, str], set[int]], at: tuple[int, int, int], characters: set[str]
) -> Iterator[tuple[int, int, int]]:
    for character in characters:
        ways = [steps.get((state, character)) for state in at]
        if all(ways):
            yield from product(*ways)  # type: ignore[arg-type]


def _shown(taken: frozenset[str]) -> str:
    return repr("".join(sorted(taken))[:12])


def alphabet(pattern: str, flags: int = 0) -> list[str]:
    """Return one character of each kind that the expression distinguishes and matches."""
    nfa, _ = _built(pattern, flags)
    kinds: dict[tuple[bool, ...], str] = {}
    for character in sorted(SAMPLES.union(*nfa.takes)):
        kinds.setdefault(tuple(character in taken for taken in nfa.takes), character)
    return [character for taken, character in kinds.items() if any(taken)]


def sample_prefixes(pattern: str, flags: int = 0) -> list[str]:
    """Return the shortest text that leads into each loop of the expression, and the empty text."""
    nfa, whole = _built(pattern, flags)
    words = {each: min(nfa.takes[each]) for each in sorted(whole.first) if nfa.takes[each]}
    waiting = list(words)
    for at in waiting:
        for following in sorted(other for one, other in nfa.follows if one == at):
            if following not in words and nfa.takes[following]:
                words[following] = words[at] + min(nfa.takes[following])
                waiting.append(following)
    loops = _cyclic(_steps(nfa, whole, searches=False))
    return list(dict.fromkeys(["", *(words[each] for each in sorted(loops) if each in words)]))


def _built(pattern: str, flags: int) -> tuple[Automaton, _Part]:
    tree = parser.parse(pattern, flags)
    nfa = Automaton()
    return nfa, _sequence(nfa, list(tree), tree.state.flags)


def _all(compiled: re.Pattern[str]) -> Callable[[str], object]:
    return lambda text: sum(1 for _ in compiled.finditer(text))


METHOD: Mapping[Mode, Callable[[re.Pattern[str]], Callable[[str], object]]] = {
    "match": lambda compiled: compiled.match,
    "fullmatch": lambda compiled: compiled.fullmatch,
    "search": _all,
}
"""What a mode does with a text; a search goes on to the end of it."""

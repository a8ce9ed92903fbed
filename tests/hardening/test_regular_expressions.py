"""Every regular expression of the product takes time in proportion to the length of the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, product

import pytest

from tests.support.regex_complexity import METHOD, Mode, alphabet, sample_prefixes, superlinear
from tests.support.regular_expressions import PRODUCT, Expression, find_expressions
from tests.support.timing import cpu_seconds

FEWEST = 80
SMALLEST, LARGEST = 500, 8_000
MEASURABLE = 0.002
"""Seconds of the CPU from which two times can be compared."""
STEEPEST = 9.0
"""Four times the text may take so much longer: twice what is linear, and half of what is quadratic."""
MOST_TEXTS, FEW_TEXTS = 24, 3
"""Of each kind: in `make coverage`, and in `make test`, where `superlinear` alone reads every expression whole."""


@pytest.fixture(scope="module")
def expressions() -> list[Expression]:
    """Find the expressions in the process that runs the tests, not in each that collects them."""
    return find_expressions()


def test_every_expression_of_the_product_is_found(expressions: list[Expression]) -> None:
    found = "\n".join(map(str, expressions))
    for part in (
        "jobs/name_index.py",
        "saasus/secret_names.py",
        "catalog/tokenizer.py",
        "settings/config.py",
        "catalog/catalogue.json",
    ):
        assert f"saasus_mcp/{part}" in found
    assert len(expressions) >= FEWEST
    for file in PRODUCT.rglob("*.py"):
        assert "from re import" not in file.read_text(encoding="utf-8"), (
            f"{file}: tests.support.regular_expressions looks for re.…"
        )


def test_an_expression_is_linear_by_construction(expressions: list[Expression]) -> None:
    steep = {str(each): superlinear(each.pattern, each.mode, each.flags) for each in expressions}
    assert {each: why for each, why in steep.items() if why} == {}


@pytest.mark.slow
def test_an_expression_takes_time_in_proportion(expressions: list[Expression], exhaustive: bool) -> None:
    most = MOST_TEXTS if exhaustive else FEW_TEXTS
    steep = {
        (str(each), *text): ratio
        for each in expressions
        for text in texts(each, most)
        if (ratio := growth(each, *text)) > STEEPEST
    }
    assert steep == {}


@pytest.mark.parametrize(
    ("pattern", "mode"),
    [
        (r"[^@\s]+@[^@\s]+\.[^@\s]+", "fullmatch"),
        (r"(a+)+$", "match"),
        (r"(a|a)*b", "match"),
        (r"(a|b|ab)*c", "match"),
        (r"(?:a*)*b", "match"),
        (r"a*b?a*c", "match"),
        (r"(x+){2}y", "match"),
        (r"(.*)a(.*)b", "match"),
        (r"\s+$", "search"),
        (r"[\w.+-]+@[\w.-]+", "search"),
        (r'"(?:[^"\\]|\\.)*"', "search"),
        (r"(?=(a+)+b)a", "match"),
        (r"<!--.*?-->", "search"),
    ],
)
def test_an_expression_that_is_not_linear_is_reported(pattern: str, mode: Mode) -> None:
    assert superlinear(pattern, mode) != ""


@pytest.mark.parametrize(
    ("pattern", "mode"),
    [
        (r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+", "fullmatch"),
        (r"(?<![\w.+-])[\w.+-]+@[\w.-]+", "search"),
        (r'"(?:[^"\\]|\\.)*"', "match"),
        (r"\b\w+:", "search"),
        (r"a+", "search"),
        (r"(a+){1}b", "match"),
    ],
)
def test_an_expression_that_is_linear_passes(pattern: str, mode: Mode) -> None:
    assert superlinear(pattern, mode) == ""


def test_the_clock_sees_what_is_not_linear() -> None:
    slow = Expression("here", r"[^@\s]+@[^@\s]+\.[^@\s]+", "fullmatch")
    assert any(growth(slow, *text) > STEEPEST for text in texts(slow, MOST_TEXTS))


def texts(expression: Expression, most: int) -> Iterator[tuple[str, str, str]]:
    """Generate texts that almost match, `most` of each kind: a prefix, a repeated part, and an end that does not match."""
    characters = alphabet(expression.pattern, expression.flags)
    pairs = (one + other for one, other in product(characters[:6], repeat=2) if one != other)
    words = re.findall(r"[A-Za-z<>:.@/ \"]{2,}", expression.pattern)
    before = sample_prefixes(expression.pattern, expression.flags)
    yield from islice(product(before, (*characters, *words, *pairs), ("\x00", "\n")), most)
    yield from islice(((lead, each, end) for each in characters for lead in before for end in ("\n",)), most)


def growth(expression: Expression, before: str, repeated: str, after: str) -> float:
    """Return how many times longer four times the text takes, or 0 if the time is too short to measure."""
    use = METHOD[expression.mode](re.compile(expression.pattern, expression.flags))

    def seconds(size: int, enough: float = MEASURABLE) -> float:
        text = before + repeated * (size // len(repeated)) + after
        return cpu_seconds(lambda: use(text), enough=enough)

    size = SMALLEST
    while (short := seconds(size)) < MEASURABLE:
        size *= 2
        if size > LARGEST:
            return 0.0
    return seconds(4 * size, STEEPEST * short) / short

"""The expressions of recipes have bounded work."""

from __future__ import annotations

from saasus_mcp.catalog.expressions import evaluate_over


def test_an_expression_with_more_work_than_the_runtime_allows_has_no_value() -> None:
    assert evaluate_over("result.all(r, r > 0)", {"result": list(range(1, 20_001))}) is None

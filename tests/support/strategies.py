"""Hypothesis strategies: any text, any JSON, any operation."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from saasus_mcp.catalog import load_catalogue

CATALOGUE = load_catalogue()
PATHS = [(operation.key, name) for operation in CATALOGUE for name in operation.path_parameters]

any_text = st.text(st.characters(exclude_categories=()), max_size=60)
"""Halves of characters, controls and separators among it."""
nasty_text = st.text(st.sampled_from(list("./\\%2e2F#?;&= \x00\r\n\u202e\u2028あa")), max_size=12)
text_values = any_text | nasty_text

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | text_values
    | st.sampled_from([math.inf, -math.inf, math.nan, 10**400, 2**63, "\ud800", "株式会社"])
)
any_json = st.recursive(
    scalars, lambda below: st.lists(below, max_size=4) | st.dictionaries(text_values, below, max_size=4), max_leaves=12
)
json_keys = st.sampled_from([operation.key for operation in CATALOGUE])
operations_with_answer = st.sampled_from([operation.key for operation in CATALOGUE if operation.answers])
secret_operations = st.sampled_from([operation.key for operation in CATALOGUE if operation.secret_outputs])
log_operations = st.sampled_from([operation.key for operation in CATALOGUE if operation.scrubbed_outputs])

punctuation = st.text(" \t{}[]()<>,;&?/.#|0123456789", max_size=20)

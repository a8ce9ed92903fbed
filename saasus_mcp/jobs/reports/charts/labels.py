"""Labels of charts that tell things of one name apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from saasus_mcp.common.text import fold_name
from saasus_mcp.jobs.reports.charts.text_chart import MAX_WIDTH, truncate_text

SHORT_ID = 8
"""Characters of an id in a label, or more where these are alike."""


def unique_labels(names: Mapping[str, str], width: int = MAX_WIDTH) -> dict[str, str]:
    """Return a label for each id: its name, with the beginning of the id if another label would look like it.

    A name that is cut short looks like another one with the same beginning. A thing without a name has its id.

    Args:
        width: columns of a label at most.
    """
    shown = {id_: truncate_text(name, width) for id_, name in names.items()}
    counts = Counter(map(fold_name, shown.values()))
    alike = [id_ for id_, name in shown.items() if not name.strip() or counts[fold_name(name)] > 1]
    length = _distinct_length(alike)
    labels = dict(shown)
    for id_ in alike:
        suffix = f"({id_[:length]})"
        name = truncate_text(names[id_], max(width - len(suffix) - 1, 1)).strip()
        labels[id_] = f"{name} {suffix}" if name else suffix
    return labels


def _distinct_length(ids: list[str]) -> int:
    """Return how many characters tell the ids apart."""
    length = SHORT_ID
    while len({id_[:length] for id_ in ids}) < len(ids):
        length += 1
    return length

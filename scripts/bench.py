"""Everything that is measured, a section each: `make bench`, or some of it: `scripts/bench.py gate search`.

A section is a function that prints; one more is one more line of SECTIONS.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module

SECTIONS: Mapping[str, str] = {
    "surfaces": "surface_bench.report",
    "search": "search_bench.report",
    "gate": "gate_bench.report_cost",
    "attacks": "gate_bench.report_attacks",
    "jobs": "jobs_bench.report",
    "work": "work_bench.report",
    "reports": "reports_bench.report",
    "speed": "speed_bench.report",
    "growth": "speed.growth.report",
}
"""What is printed, in this order (`jobs_bench.py` by itself also kills imports in the middle): the module beside this one and its function, imported when its turn comes."""


def section(name: str) -> Callable[[], None]:
    """Return a function that prints a section."""
    module, _, function = SECTIONS[name].rpartition(".")
    report: Callable[[], None] = getattr(import_module(module), function)
    return report


def main(wanted: list[str]) -> int:
    """Print the sections, all where none is named. Gives the exit status."""
    unknown = [name for name in wanted if name not in SECTIONS]
    if unknown:
        print(f"No section {', '.join(unknown)}. There are: {', '.join(SECTIONS)}.", file=sys.stderr)
        return 2
    for name in wanted or SECTIONS:
        print(f"== {name}")
        section(name)()
        print(flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

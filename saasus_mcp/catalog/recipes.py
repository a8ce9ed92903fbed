"""Parse the compiled rows of effects.yaml into records."""

from __future__ import annotations

from typing import Any

from saasus_mcp.catalog.model import (
    DifferenceRecipe,
    Effects,
    ImpactMetric,
    ListSelector,
    Requirement,
    Target,
    UndoRecipe,
    VerificationRecipe,
)
from saasus_mcp.common.language import Text

Row = dict[str, Any]


def parse_effects(row: Row) -> Effects:
    """Return the record of one compiled row."""
    lists = {key: tuple(row.get(key, ())) for key in ("blast", "outside", "preconditions", "bind")}
    recipes = {
        "target": _target(row["target"]) if "target" in row else None,
        "requires": tuple(Requirement(**{**each, "text": Text(**each["text"])}) for each in row.get("requires", ())),
        "impact": tuple(_metric(name, metric) for name, metric in row.get("impact", {}).items()),
        "diff": _diff(row["diff"]) if "diff" in row else None,
        "verify": _verify(row["verify"]) if "verify" in row else None,
        "undo": _undo(row["undo"]) if "undo" in row else None,
        "say": Text(**row["say"]) if "say" in row else None,
    }
    return Effects(**{**row, **lists, **recipes})


def _target(row: Row) -> Target:
    return Target(read=row.get("read"), args=row.get("args", {}), name=row.get("name", ""), pick=_pick(row))


def _metric(name: str, row: Row) -> ImpactMetric:
    return ImpactMetric(name, **{**row, "label": Text(**row["label"])})


def _diff(row: Row) -> DifferenceRecipe:
    return DifferenceRecipe(**{**row, "pick": _pick(row)})


def _verify(row: Row) -> VerificationRecipe:
    return VerificationRecipe(**{**row, "pick": _pick(row)})


def _undo(row: Row) -> UndoRecipe:
    note = Text(**row["note"]) if "note" in row else None
    rest = {key: value for key, value in row.items() if key != "class"}
    lists: Row = {key: tuple(row.get(key, ())) for key in ("needs", "supply")}
    also = tuple(_undo({"class": row["class"], **each}) for each in row.get("also", ()))
    return UndoRecipe(row["class"], **{**rest, **lists, "also": also, "note": note})


def _pick(row: Row) -> ListSelector | None:
    pick = row.get("pick")
    return ListSelector(source=pick["from"], where=pick["where"]) if pick else None

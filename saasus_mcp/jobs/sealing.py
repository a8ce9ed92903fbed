"""What the engine keeps of a job: JSON, sealed under the key of whoever runs jobs here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.seal import Sealer

if TYPE_CHECKING:
    from dbos import Serializer

PURPOSE = "job"


class EngineError(SaasusMcpError):
    """Jobs cannot run here."""


def sealing(sealer: Sealer) -> Serializer:
    """What the engine keeps: JSON, sealed. DBOS would pickle it, which lets whoever writes its file run code here."""
    from dbos import Serializer  # noqa: PLC0415 - slow to import, and only where a job runs

    class Sealing(Serializer):
        def serialize(self, data: Any) -> str:
            return sealer.token({"error": str(data)} if isinstance(data, BaseException) else {"value": data}, PURPOSE)

        def deserialize(self, serialized_data: str) -> Any:
            opened = sealer.read(serialized_data, PURPOSE)
            if opened is None:
                raise EngineError("What was kept of a job was not sealed here.", "It cannot go on.")
            return opened["value"] if "value" in opened else EngineError(opened["error"])

        def name(self) -> str:
            return "sealed"

    return Sealing()

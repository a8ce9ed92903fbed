"""What the engine keeps of a job: JSON, sealed under the key of whoever runs jobs here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.secrets.encryption import Encryptor

if TYPE_CHECKING:
    from dbos import Serializer

PURPOSE = "job"


class EngineError(SaasusMcpError):
    """Jobs cannot run here."""


def create_serializer(sealer: Encryptor) -> Serializer:
    """What the engine keeps: JSON, sealed. DBOS would pickle it, which lets whoever writes its file run code here."""
    from dbos import Serializer  # noqa: PLC0415 - slow to import, and only where a job runs

    class Sealing(Serializer):
        def serialize(self, data: Any) -> str:
            return sealer.encrypt_token(
                {"error": str(data)} if isinstance(data, BaseException) else {"value": data}, PURPOSE
            )

        def deserialize(self, serialized_data: str) -> Any:
            opened = sealer.decrypt_token(serialized_data, PURPOSE)
            if opened is None:
                raise EngineError("What was kept of a job was not sealed here.", "It cannot go on.")
            return opened["value"] if "value" in opened else EngineError(opened["error"])

        def name(self) -> str:
            return "sealed"

    return Sealing()

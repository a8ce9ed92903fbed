"""A stub of the API that costs as little as can be: ready answers on a port of loopback, which it prints."""

from __future__ import annotations

import asyncio
import json
from functools import cache

ROLES = {"roles": [{"role_name": "admin", "display_name": "管理者"}, {"role_name": "user", "display_name": "利用者"}]}
USERS = b"/v1/auth/tenants/users-"


@cache
def body(path: bytes) -> bytes:
    """Return the answer of a path: of the tenant `users-1000` a thousand users, of anything else two roles."""
    if not path.startswith(USERS):
        return json.dumps(ROLES).encode()
    number = int(path.removeprefix(USERS).split(b"/")[0])
    return json.dumps({"users": [user(each) for each in range(number)]}).encode()


def user(number: int) -> dict[str, object]:
    """One user of a tenant, as the API has it."""
    roles = [{"role_name": "admin", "display_name": "Administrator"}]
    return {
        "id": f"{number:08}-0000-4000-8000-000000000000",
        "tenant_id": "users",
        "tenant_name": "Acme",
        "email": f"user-{number}@example.com",
        "attributes": {"name": f"User {number}"},
        "envs": [{"id": 3, "name": "prod", "display_name": "Production", "roles": roles}],
    }


class Answering(asyncio.Protocol):
    """One connection. Requests have no body."""

    def __init__(self) -> None:
        self._begun = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._begun = (self._begun + data).split(b"\r\n\r\n")
        for head in heads:
            said = body(head.split(b" ", 2)[1].split(b"?")[0])
            kind = b"Content-Type: application/json\r\nContent-Length: %d" % len(said)
            self._transport.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (kind, said))


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

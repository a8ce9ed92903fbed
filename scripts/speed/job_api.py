"""The part of the API that jobs on users call, with a latency, on a port of loopback, which it prints.

Usage: `job_api.py USERS SECONDS`. Every user is in one of `TENANTS` tenants, and every other one in a second. `GET /used` says what the
API did since the last time it was asked.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import NAMESPACE_URL, uuid5

TENANTS = 500
USED = "/used"
ENVS = [{"id": 3, "name": "prod", "display_name": "Production"}]
ROLES = [{"role_name": "viewer", "display_name": "Viewer"}]
ATTRIBUTES = [{"attribute_name": "full_name", "display_name": "Name", "attribute_type": "string"}]
Record = dict[str, Any]


def identifier(kind: str, number: int) -> str:
    """Return an id of the form that the API has."""
    return str(uuid5(NAMESPACE_URL, f"{kind}-{number}"))


class Users:
    """The accounts and memberships."""

    def __init__(self, count: int) -> None:
        self.tenants: list[Record] = [
            {"id": identifier("tenant", n), "name": f"Tenant {n}", "attributes": {}} for n in range(TENANTS)
        ]
        self.accounts: list[Record] = []
        self.members: dict[tuple[str, str], Record] = {}
        self.ids: dict[str, str] = {}
        self._records: dict[tuple[str, str], Record] = {("tenants", each["id"]): each for each in self.tenants}
        self._lists: dict[str, tuple[str, Iterable[Record]]] = {
            "tenants": ("tenants", self.tenants),
            "envs": ("envs", ENVS),
            "roles": ("roles", ROLES),
            "user-attributes": ("user_attributes", ATTRIBUTES),
            "users/search": ("users", self.accounts),
            "tenants/all/users/search": ("users", self.members.values()),
        }
        self._names = {each["id"]: each["name"] for each in self.tenants}
        for number in range(count):
            login = f"user-{number}@example.com"
            self.create(login)
            for tenant in {number % TENANTS, (number * 7 + 1) % TENANTS if number % 2 else number % TENANTS}:
                member = self.join(self.tenants[tenant]["id"], login, {"full_name": f"Person {number}"})
                self.grant(member["tenant_id"], member["id"], 3, ["viewer"])

    def create(self, login: str) -> Record:
        """Create an account."""
        account: Record = {"id": identifier("user", len(self.accounts)), "email": login, "attributes": {}}
        self.accounts.append(account)
        self.ids[login] = account["id"]
        self._records["users", account["id"]] = account
        return account

    def join(self, tenant: str, login: str, attributes: Record) -> Record:
        """Add an account to a tenant."""
        member: Record = {
            "id": self.ids[login],
            "tenant_id": tenant,
            "tenant_name": self._names[tenant],
            "email": login,
        }
        self.members[tenant, member["id"]] = {**member, "attributes": attributes, "envs": []}
        return self.members[tenant, member["id"]]

    def grant(self, tenant: str, user: str, env: int, roles: list[str]) -> None:
        """Give a member roles."""
        self.members[tenant, user]["envs"].append(
            {**ENVS[0], "id": env, "roles": [{"role_name": each} for each in roles]}
        )

    def answer(self, method: str, target: str, body: bytes) -> Any:
        """Return the answer of a request."""
        url = urlsplit(target)
        path = unquote(url.path).removeprefix("/v1/auth/")
        if path in self._lists and method == "GET":
            name, records = self._lists[path]
            return _page(name, records, dict(parse_qsl(url.query)))
        sent = json.loads(body) if body else {}
        match path.split("/"):
            case ["users"]:
                return self.create(sent["email"])
            case [("tenants" | "users") as kind, wanted] if method == "GET":
                return self._records[kind, wanted]
            case ["tenants", tenant, "users"]:
                return self.join(tenant, sent["email"], sent["attributes"])
            case ["tenants", tenant, "users", user]:
                return self.members[tenant, user]
            case ["tenants", tenant, "users", user, "envs", env, "roles"]:
                return self.grant(tenant, user, int(env), sent["role_names"])
        raise ValueError(f"This API has no {method} {target}.")


def _page(name: str, records: Iterable[Record], query: dict[str, str]) -> Record:
    """Return a list, or a page of it if the query names a limit."""
    start, limit = int(query.pop("cursor", 0)), int(query.pop("limit", 0))
    found = [each for each in records if all(each[field].startswith(value) for field, value in query.items())]
    end = start + limit if limit else len(found)
    return {name: found[start:end], **({"cursor": str(end)} if end < len(found) else {})}


SHORT_PEAK = 0.01
"""The part of the time with calls in which more calls at once do not count."""


class Use:
    """What was used of the API."""

    def __init__(self) -> None:
        self.calls = self._open = 0
        self._seconds: list[float] = [0.0]
        self._since = time.perf_counter()

    def begin(self) -> None:
        self.calls += 1
        self._change(1)

    def end(self) -> None:
        self._change(-1)

    def take(self) -> Record:
        """Return the calls, how many there were at once but for short peaks, and the seconds with at least one; and count from zero."""
        busy, left = sum(self._seconds[1:]), 0.0
        at_once = len(self._seconds) - 1
        while at_once > 1 and left + self._seconds[at_once] <= busy * SHORT_PEAK:
            left += self._seconds[at_once]
            at_once -= 1
        used = {"calls": self.calls, "at_once": at_once, "seconds": busy}
        self.__init__()  # type: ignore[misc]  # counts from zero
        return used

    def _change(self, by: int) -> None:
        now = time.perf_counter()
        self._seconds[self._open] += now - self._since
        self._open, self._since = self._open + by, now
        if self._open == len(self._seconds):
            self._seconds.append(0.0)


class Connection(asyncio.Protocol):
    """One connection, with one request at a time."""

    def __init__(self, answer: Callable[[str, str, bytes], Any], use: Use, latency: float) -> None:
        self._answer = answer
        self._use = use
        self._latency = latency
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        if not found or len(body) < length:
            return
        self._received = b""
        method, target, _ = head.decode().split(" ", 2)
        if target == USED:
            self._send(self._use.take())
            return
        self._use.begin()
        due = asyncio.get_running_loop().time() + self._latency
        answer = self._answer(method, target, body)  # its time is a part of the latency
        asyncio.get_running_loop().call_at(due, self._finish, answer, 201 if method == "POST" else 200)

    def _finish(self, answer: Any, status: int) -> None:
        self._use.end()
        self._send(answer, status)

    def _send(self, answer: Any, status: int = 200) -> None:
        content = b"" if answer is None else json.dumps(answer).encode()
        kind = b"Content-Type: application/json\r\nContent-Length: %d" % len(content)
        self._transport.write(b"HTTP/1.1 %d OK\r\n%b\r\n\r\n%b" % (status, kind, content))


async def main(users: int, latency: float) -> None:
    make = partial(Connection, Users(users).answer, Use(), latency)
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))

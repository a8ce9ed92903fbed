"""Run as a program: make one approved deletion and die at a named step of it, as a crash or a power cut would.

usage: dying.py FOLDER STEP      what is sent is noted in FOLDER/sent
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import httpx2

from saasus_mcp.catalog import load
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.server.call import Call
from saasus_mcp.server.pipeline import Pipeline
from saasus_mcp.store import Store
from tests.support import CREDENTIALS, ME, StubApi, pipeline

KEY = b"k" * 32
STEPS = ("before audit", "after audit", "after send", "before answer", "never")
CALL = Call("auth_delete_tenant", {"tenant_id": "tenant-1"}, ME)


def die() -> None:
    os._exit(9)


def dying_store(folder: Path, step: str) -> Store:
    store = Store.at(folder, CREDENTIALS.saas_id, [KEY])
    commit, end = store.commit, store.end

    def dying_commit(call: str, record: Any, *given: Any, **named: Any) -> None:
        writes = record["operation"] == "auth.DeleteTenant"
        if writes and step == "before audit":
            die()
        commit(call, record, *given, **named)
        if writes and step == "after audit":
            die()

    def dying_end(call: str, record: Any, *given: Any, **named: Any) -> None:
        end(call, record, *given, **named)
        if step == "before answer" and (folder / "sent").exists():
            die()

    store.commit = dying_commit  # type: ignore[method-assign]
    store.end = dying_end  # type: ignore[method-assign]
    return store


def made(folder: Path, step: str) -> Pipeline:
    api = StubApi(load())

    def deleted(request: httpx2.Request) -> httpx2.Response:
        with (folder / "sent").open("a", encoding="utf-8") as file:
            file.write(f"{request.method} {request.url.path}\n")
        if step == "after send":
            die()
        return httpx2.Response(200)

    api.answers["auth.DeleteTenant"] = deleted
    return pipeline(api, dying_store(folder, step), sealer=Sealer(KEY))


if __name__ == "__main__":
    where, when = Path(sys.argv[1]), sys.argv[2]
    answer = asyncio.run(made(where, when).run(CALL))
    sys.stdout.write(getattr(answer, "text", repr(answer)))

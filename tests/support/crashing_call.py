"""Make one approved deletion and end the process at a named step, as a crash or a power cut would.

Usage: `python -m tests.support.crashing_call FOLDER STEP`. Requests are recorded in FOLDER/sent.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import httpx2

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.store.store import Store
from tests.support.pipeline import CREDENTIALS, PRINCIPAL, StubApi, build_pipeline
from tests.support.saas_store import open_saas_store

KEY = b"k" * 32
STEPS = ("before audit", "after audit", "after send", "before answer", "never")
CALL = Call("auth_delete_tenant", {"tenant_id": "tenant-1"}, PRINCIPAL)


def crash_process() -> None:
    os._exit(9)


def crashing_store(folder: Path, step: str) -> Store:
    store = open_saas_store(folder, CREDENTIALS.saas_id, [KEY])
    commit, end = store.commit, store.finish_call

    def dying_commit(call: str, record: Any, *given: Any, **named: Any) -> None:
        writes = record["operation"] == "auth.DeleteTenant"
        if writes and step == "before audit":
            crash_process()
        commit(call, record, *given, **named)
        if writes and step == "after audit":
            crash_process()

    def dying_end(call: str, record: Any, *given: Any, **named: Any) -> None:
        end(call, record, *given, **named)
        if step == "before answer" and (folder / "sent").exists():
            crash_process()

    store.commit = dying_commit  # type: ignore[method-assign]
    store.finish_call = dying_end  # type: ignore[method-assign]
    return store


def build_crashing_pipeline(folder: Path, step: str) -> Pipeline:
    api = StubApi(load_catalogue())

    def deleted(request: httpx2.Request) -> httpx2.Response:
        with (folder / "sent").open("a", encoding="utf-8") as file:
            file.write(f"{request.method} {request.url.path}\n")
        if step == "after send":
            crash_process()
        return httpx2.Response(200)

    api.answers["auth.DeleteTenant"] = deleted
    return build_pipeline(api, crashing_store(folder, step), sealer=Encryptor(KEY))


if __name__ == "__main__":
    where, when = Path(sys.argv[1]), sys.argv[2]
    answer = asyncio.run(build_crashing_pipeline(where, when).run(CALL))
    sys.stdout.write(getattr(answer, "text", repr(answer)))

"""A file of the store that one process opens more than once, while others come and go: nobody is left with a log of the past.

On POSIX, closing any descriptor of a file drops all locks that the process has on it. Another process would then take
itself for the last one, and remove the log that the first goes on reading.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from saasus_mcp.store.records import Freeze
from saasus_mcp.store.tokens import Token, TokenStore
from tests.support.databases import KEY
from tests.support.saas_store import open_saas_store

TOKENS = "from saasus_mcp.store.tokens import TokenStore as Kept; kept = Kept.open(folder)"
STORE = (
    "from saasus_mcp.store.records import Freeze; from saasus_mcp.store.folder_stores import FolderStores; "
    "kept = FolderStores(folder, lambda: (b'k' * 32,)).open_saas('saas')"
)


def elsewhere(folder: Path, opening: str, action: str) -> None:
    """Do something with what is kept in a process of its own, which then closes it."""
    program = f"import sys; from pathlib import Path; folder = Path(sys.argv[1]); {opening}; {action}; kept.close()"
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, timeout=60)


def test_a_token_that_is_revoked_elsewhere_is_refused_where_the_accounts_are_open_twice(tmp_path: Path) -> None:
    now = time.time()
    with closing(TokenStore.open(tmp_path)) as kept, closing(TokenStore.open(tmp_path)) as beside:
        token = kept.add(Token("hanako", "caller", frozenset(), "me", now, now + 3600))
        assert beside.authenticate(token, now) is not None
        elsewhere(tmp_path, TOKENS, "kept.list_tokens()")
        elsewhere(tmp_path, TOKENS, f"assert kept.revoke('hanako', {now})")
        assert kept.authenticate(token, now) is None
        assert beside.authenticate(token, now) is None


def test_a_freeze_from_elsewhere_holds_where_a_store_is_open_twice(tmp_path: Path) -> None:
    wanted = Freeze(at=time.time(), by="hanako", reason="an incident")
    with (
        closing(open_saas_store(tmp_path, "saas", (KEY,))) as kept,
        closing(open_saas_store(tmp_path, "saas", (KEY,))) as beside,
    ):
        assert kept.active_freeze() is None
        elsewhere(tmp_path, STORE, "kept.active_freeze()")
        elsewhere(tmp_path, STORE, f"kept.freeze({wanted!r})")
        assert kept.active_freeze() == wanted
        assert beside.active_freeze() == wanted


def test_the_writes_of_two_openings_beside_another_process_are_all_there(tmp_path: Path) -> None:
    with (
        closing(open_saas_store(tmp_path, "saas", (KEY,))) as kept,
        closing(open_saas_store(tmp_path, "saas", (KEY,))) as beside,
    ):
        kept.record_decision({"action": "first"}, 1.0)
        elsewhere(tmp_path, STORE, "kept.record_decision({'action': 'elsewhere'}, 2.0)")
        beside.record_decision({"action": "last"}, 3.0)
    with closing(open_saas_store(tmp_path, "saas", (KEY,))) as again:
        assert [each["action"] for each in again.audit_log.list_records()] == ["first", "elsewhere", "last"]

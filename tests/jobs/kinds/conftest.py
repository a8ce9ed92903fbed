"""A server of jobs in the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.job_server import JobServer, start_job_server


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[JobServer]:
    async with start_job_server(tmp_path) as server:
        yield server

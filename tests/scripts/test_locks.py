"""The two lock files are compared by version, so the image never ships what the tests did not run with."""

from __future__ import annotations

from scripts.locks import differences

TESTED = (
    "mcp==2.3.0 \\\n    --hash=sha256:aa\nnumpy==2.1 ; python_version < '3.12' \\\n    --hash=sha256:bb\nnumpy==2.3\n"
)


def test_the_same_versions_are_no_difference() -> None:
    assert differences(TESTED, "mcp==2.3.0 \\\n    --hash=sha256:aa\nnumpy==2.3 \\\n") == []


def test_another_version_and_an_unknown_package_are_named() -> None:
    [mcp, uvicorn] = differences(TESTED, "mcp==2.3.1 \\\nuvicorn==0.40\nnumpy==2.1\n")
    assert "mcp: requirements.lock has 2.3.0, requirements.hosted.lock has 2.3.1" in mcp
    assert "uvicorn: requirements.lock has no version" in uvicorn

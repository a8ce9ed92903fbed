"""`python -m saasus_mcp` is the command `saasus-mcp`."""

import os
import sys


def leave_working_directory() -> None:
    """Take the working directory off the module path, where `-m` puts it first: any module in it would run with the credentials.

    Imports nothing that Python has not loaded by itself.
    """
    try:
        here = os.getcwd()  # noqa: PTH109 - pathlib may not be loaded yet, and would be looked for there
    except OSError:
        return
    if not sys.flags.safe_path and sys.path[:1] in ([""], [here]):
        del sys.path[0]


if __name__ == "__main__":
    leave_working_directory()
    from saasus_mcp.cli import main

    main()

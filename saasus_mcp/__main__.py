"""`python -m saasus_mcp` is the command `saasus-mcp`."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        # -m puts the working directory first on the path: a file of any module's name in it would run with the credentials.
        del sys.path[0]
    from saasus_mcp.cli import main

    main()

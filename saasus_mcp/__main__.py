"""`python -m saasus_mcp` is the command `saasus-mcp`."""

from saasus_mcp.cli import main

if __name__ == "__main__":
    main()

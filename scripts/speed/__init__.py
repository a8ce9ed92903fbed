"""How fast the server is, measured beside what else a user could run."""

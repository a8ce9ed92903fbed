"""Authentication of callers: bearer tokens, JWTs, and access to profiles."""

"""The console: web pages on which approvers decide."""

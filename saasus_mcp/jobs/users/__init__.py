"""The list of users that is exported and imported."""

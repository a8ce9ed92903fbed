"""The store: everything that must survive a call and a process, in SQLite or PostgreSQL.

The records and the errors import no database library, which is slow to import: listing tools needs none.
"""

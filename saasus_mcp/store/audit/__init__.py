"""The audit log: hash chains of records, their verification and purge."""

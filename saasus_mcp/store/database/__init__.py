"""The database: SQLite or PostgreSQL by SQLAlchemy."""

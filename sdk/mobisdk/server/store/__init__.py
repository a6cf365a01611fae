"""What the lab server keeps: runs, tokens and codes, in SQLite or PostgreSQL."""

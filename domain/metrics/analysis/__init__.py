"""What takes all purchases of a tenant at once: an Arrow extract of them, and DuckDB over it."""

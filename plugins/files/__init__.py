"""Reading files: CSV, fixed width, JSON Lines and Parquet, with a mapping that says what their columns mean."""

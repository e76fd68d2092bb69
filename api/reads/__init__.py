"""Compiled reads: an operation becomes a plan of SQL statements and one function that completes the document."""

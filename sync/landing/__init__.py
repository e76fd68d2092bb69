"""How a page becomes rows: staged in temporary tables, compared with what is there, and merged set by set."""

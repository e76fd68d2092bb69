"""QuickBooks Online: the books of a company, both ways."""

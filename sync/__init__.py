"""What runs connectors and lands their records."""

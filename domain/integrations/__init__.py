"""What is enabled for a tenant, and the state of its syncs."""

"""The ground that every concept stands on; its modules are imported by their paths."""

"""The command `tenure`."""

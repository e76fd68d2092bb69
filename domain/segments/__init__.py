"""Who belongs together: criteria as typed trees, membership with its history."""

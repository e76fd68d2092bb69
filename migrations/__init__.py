"""The history of the database's shape, and the one way to bring a database up to it."""

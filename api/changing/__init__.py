"""The mutations that each concept brings."""

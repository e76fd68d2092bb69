"""Measures the promises about speed beside what they are compared with: `python -m bench`."""

"""Tenants, their principals and tokens."""

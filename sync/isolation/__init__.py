"""Connectors in processes of their own: one that breaks ends there, and nobody else notices."""

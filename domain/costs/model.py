"""What customers cost: entries by category, and the share of each that falls on whom."""

from __future__ import annotations

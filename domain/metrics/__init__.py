"""What it amounts to: exact figures with their numerators, denominators and watermarks."""

from __future__ import annotations

"""Who belongs together: criteria as typed trees, membership with its history."""

from __future__ import annotations

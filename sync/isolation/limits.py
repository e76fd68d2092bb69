"""What the process of a connector may use before it is stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.core.settings import Settings


@dataclass(frozen=True)
class Limits:
    """Bounds of one process."""

    memory: int = 1024 * 1024 * 1024
    """Bytes of address space."""
    cpu: int = 3600
    """Seconds of processor time, for as long as the process lives."""
    deadline: float = 600.0
    """Seconds for one answer or one page."""
    heartbeat: float = 30.0
    """Seconds without a sign of life from the event loop."""

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """As the operator set them."""
        return cls(
            settings.connector_memory * 1024 * 1024, settings.connector_cpu, settings.connector_deadline,
            settings.connector_heartbeat,
        )  # fmt: skip

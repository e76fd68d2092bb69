"""How a payload names a thing that the planner has yet to read."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Reference:
    """A thing by its type and id."""

    type: str
    id: UUID

"""Every error that a caller can act on, grouped by what to do next; a class docstring is its message."""

from __future__ import annotations

import re
from typing import Any, ClassVar


class DomainError(Exception):
    """Something was refused. `path` names the part of the input, `details` what it is about.

    The code, for programs, is the name of the class in capitals unless the class says another.
    """

    code: ClassVar[str] = "REFUSED"

    def __init_subclass__(cls) -> None:
        if "code" not in vars(cls):
            cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).upper()

    def __init__(self, message: str | None = None, /, *, path: tuple[str, ...] = (), **details: Any) -> None:
        self.message = message or first_paragraph(type(self))
        self.path = path
        self.details = details
        super().__init__(self.message)

    @property
    def name(self) -> str:
        """The name of the problem, as the API and the docs call it."""
        return type(self).__name__


class NotFound(DomainError):
    """Nothing with this id exists here. Check the id; one of another tenant gets the same answer."""


class Conflict(DomainError):
    """What is there now stands against this change. Read it again and decide anew."""


class NotAllowed(DomainError):
    """The token does not allow this. Ask an administrator for the scope that the message names."""


class Invalid(DomainError):
    """The input cannot be accepted as it is. Correct what the path names."""

    code = "INVALID_INPUT"


class StaleVersion(Conflict):
    """Someone changed this in the meantime. Read it again and repeat the change on the current version."""


class NotEnoughData(Conflict):
    """There is not enough data for an answer. Wait until there is more, or ask about more."""


def first_paragraph(of: type) -> str:
    """The first paragraph of a docstring on one line."""
    return " ".join((of.__doc__ or "").split("\n\n")[0].split())

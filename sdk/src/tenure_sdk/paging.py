"""How one page of a remote side's answer leads to the next: what `Context.pages` is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from msgspec import Struct


class Answered(Struct, frozen=True):
    """One page as it was asked for and came."""

    params: dict[str, Any]
    """The parameters that it was asked for with."""
    headers: Mapping[str, str]
    """By lower-case names."""
    body: Any
    """As JSON says."""
    rows: list[dict[str, Any]]


Onward: TypeAlias = Callable[[Answered], Mapping[str, Any] | str | None]
"""What the next page is asked for with: parameters beside those of this one, or its address; None after the last."""


def next_token(param: str, at: str) -> Onward:
    """The body has a token at a place (`meta.next`), which the next page is asked for with as a parameter."""

    def onward(page: Answered) -> Mapping[str, Any] | None:
        token = place(page.body, at)
        return {param: token} if token else None

    return onward


def next_link(at: str) -> Onward:
    """The body has the next page's address at a place (`links.next`)."""
    return lambda page: place(page.body, at) or None


def next_header(page: Answered) -> str | None:
    """The header `Link` has the next page's address, with `rel="next"` (RFC 8288)."""
    for address, told in _LINK.findall(page.headers.get("link", "")):
        if "next" in [name for names in _REL.findall(told) for name in names.lower().split()]:
            return str(address)
    return None


def next_number(param: str = "page", first: int = 1) -> Onward:
    """Pages have numbers; the last one is the first without rows, since a page may be smaller than was asked for."""
    return lambda page: {param: int(page.params.get(param, first)) + 1} if page.rows else None


def next_offset(param: str = "offset") -> Onward:
    """Pages begin after so many rows; the last one is the first without any."""
    return lambda page: {param: int(page.params.get(param, 0)) + len(page.rows)} if page.rows else None


def place(body: Any, at: str) -> Any:
    """What stands at a place of a body, by names with dots between them; None where there is nothing."""
    for name in at.split(".") if at else ():
        body = body.get(name) if isinstance(body, Mapping) else None
    return body


_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[\w*-]+\s*=\s*(?:"[^"]*"|[^",;\s]+))*)')
_REL = re.compile(r';\s*rel\s*=\s*"?([^";]*)"?', re.IGNORECASE)

"""Icons of connectors: small drawings that a catalogue can show without running or loading anything."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

MAX_ICON_BYTES = 8 * 1024

_SVG = "{http://www.w3.org/2000/svg}"
_ELEMENTS = frozenset({
    "svg", "g", "defs", "title", "desc", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text",
    "tspan", "linearGradient", "radialGradient", "stop", "clipPath", "mask",
})  # fmt: skip
_ATTRIBUTE = re.compile(r"(?!on)(?!style$)(?!href$)[a-z][A-Za-z0-9-]*")
_ELSEWHERE = re.compile(r"[:\\]|url\((?!#)", re.IGNORECASE)
"""What leads out of the drawing: addresses of any scheme, and what may hide one."""

_TILE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48"><rect width="48" height="48" rx="10" fill="{colour}"/>'
    '<text x="24" y="31" text-anchor="middle" font-family="sans-serif" font-size="20" font-weight="600" fill="#fff">'
    "{initials}</text></svg>"
)


def tile(initials: str, colour: str = "#3b5bdb") -> str:
    """An icon: one to three letters on a coloured tile. Take your own colour and letters, and nobody's logo."""
    return _TILE.format(initials=escape(initials[:3]), colour=escape(colour, {'"': "&quot;"}))


def icon_problem(icon: str) -> str | None:
    """Why a host would not show a drawing as an icon; None when it does.

    It is an SVG of at most `MAX_ICON_BYTES` with a viewBox, made of shapes and text alone: no scripts, styles, images
    or links, and nothing that is loaded from elsewhere.
    """
    size = len(icon.encode())
    if size > MAX_ICON_BYTES:
        return f"it has {size} bytes, and may have {MAX_ICON_BYTES}"
    if "<!" in icon or "<?" in icon:
        return "it has a declaration, a comment or an instruction beside its shapes"
    try:
        root = ET.fromstring(icon)  # noqa: S314 - small, and without a declaration there are no entities to expand
    except ET.ParseError as problem:
        return f"it is no XML: {problem}"
    if root.tag != f"{_SVG}svg" or "viewBox" not in root.attrib:
        return "it is no <svg> with its namespace and a viewBox"
    return next((why for element in root.iter() if (why := _element_problem(element)) is not None), None)


def _element_problem(element: ET.Element) -> str | None:
    name = str(element.tag).removeprefix(_SVG)
    if name not in _ELEMENTS:
        return f"<{name}> is no shape"
    for attribute, value in element.attrib.items():
        if not _ATTRIBUTE.fullmatch(attribute):
            return f"<{name}> has the attribute {attribute}"
        if _ELSEWHERE.search(value):
            return f"{attribute} of <{name}> leads elsewhere"
    return None

"""Icons: what may be shown, and what is found in the others."""

from __future__ import annotations

import pytest

from tenure_sdk import MAX_ICON_BYTES, icon_problem, tile

OPEN = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">'


def svg(inside: str) -> str:
    return f"{OPEN}{inside}</svg>"


def test_letters_on_a_tile() -> None:
    drawn = tile("R&D", '"#000"')
    assert icon_problem(drawn) is None
    assert (">R&amp;D</text>" in drawn, 'fill="&quot;#000&quot;"' in drawn) == (True, True)


def test_shapes_and_gradients_are_shown() -> None:
    gradient = '<defs><linearGradient id="a"><stop offset="0" stop-color="#fff"/></linearGradient></defs>'
    assert icon_problem(svg(f'{gradient}<path d="M0 0h9v9z" fill="url(#a)"/>')) is None


@pytest.mark.parametrize(
    ("icon", "problem"),
    [
        (svg("<script>alert(1)</script>"), "<script> is no shape"),
        (svg("<foreignObject/>"), "<foreignObject> is no shape"),
        (svg('<image href="https://x.example/a.png"/>'), "<image> is no shape"),
        (svg("<style>*{}</style>"), "<style> is no shape"),
        (svg('<animate attributeName="x"/>'), "<animate> is no shape"),
        (svg('<rect onload="alert(1)"/>'), "<rect> has the attribute onload"),
        (svg('<rect style="fill:red"/>'), "<rect> has the attribute style"),
        (
            svg('<g xmlns:x="http://www.w3.org/1999/xlink" x:href="#a"/>'),
            "<g> has the attribute {http://www.w3.org/1999/xlink}href",
        ),
        (svg('<rect fill="url(https://x.example/a)"/>'), "fill of <rect> leads elsewhere"),
        (svg('<rect fill="url( /a)"/>'), "fill of <rect> leads elsewhere"),
        (svg('<rect fill="\\75rl(a)"/>'), "fill of <rect> leads elsewhere"),
        ('<!DOCTYPE svg [<!ENTITY a "b">]>' + svg("&a;"), "it has a declaration"),
        (svg("<!-- hidden -->"), "it has a declaration, a comment"),
        ('<?xml-stylesheet href="a"?>' + svg(""), "or an instruction"),
        (svg("<rect>"), "it is no XML: mismatched tag"),
        ("", "it is no XML"),
        ("<svg viewBox='0 0 1 1'/>", "it is no <svg> with its namespace and a viewBox"),
        (svg("").replace("viewBox", "width"), "it is no <svg> with its namespace and a viewBox"),
        (svg("<desc>" + "é" * (MAX_ICON_BYTES // 2) + "</desc>"), f"may have {MAX_ICON_BYTES}"),
    ],
)
def test_anything_else_is_not_shown(icon: str, problem: str) -> None:
    assert problem in (icon_problem(icon) or "")

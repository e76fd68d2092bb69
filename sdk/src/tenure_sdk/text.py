"""Folding: one spelling for identity keys that people and systems write in several ways."""

from __future__ import annotations

_DIGITS = {ord(digit): str(value) for digits in ("۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩") for value, digit in enumerate(digits)}

# Arabic keyboards write yeh and kaf that look like the Persian ones and are others; ZWNJ and tatweel only shape the
# script, and direction marks and the byte order mark are invisible.
_LETTERS = {ord("ي"): "ی", ord("ى"): "ی", ord("ك"): "ک"} | dict.fromkeys(map(ord, "\u200c\u0640\u200e\u200f\ufeff"), "")

_KEY = _DIGITS | _LETTERS


def fold_digits(text: str) -> str:
    """The text with Persian and Arabic digits written as 0 to 9."""
    return text if text.isascii() else text.translate(_DIGITS)


def fold_key(text: str) -> str:
    """The text as an identity key: Persian yeh and kaf, ASCII digits, nothing invisible, no margin."""
    return text.strip() if text.isascii() else text.translate(_KEY).strip()

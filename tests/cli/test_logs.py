from __future__ import annotations

import json
import logging
import sys

import structlog

from cli.logs import formatter


def write(address: str) -> None:
    try:
        dict[str, str]()[address]
    except KeyError as unknown:
        raise ValueError(f"Key (email)=({address}) is there already.") from unknown


def test_what_fails_is_named_with_its_places_and_without_what_it_says() -> None:
    try:
        write("ada@example.com")
    except ValueError:
        record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "It broke.", None, sys.exc_info())
    line = formatter(structlog.processors.JSONRenderer()).format(record)
    assert "ada@" not in line
    written = json.loads(line)
    assert (written["event"], written["level"]) == ("It broke.", "error")
    assert [each.rpartition(" in ")[2] for each in written["exception"].splitlines()] == [
        "builtins.ValueError", "write", "test_what_fails_is_named_with_its_places_and_without_what_it_says",
        "builtins.KeyError", "write",
    ]  # fmt: skip

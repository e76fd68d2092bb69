"""What connectors may not do while they are tried: reach the network, or block the event loop."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def no_network() -> Iterator[list[str]]:
    """No socket can be made; who tries is stopped, and it is noted."""
    import pytest_socket

    tried: list[str] = []
    pytest_socket.disable_socket(allow_unix_socket=True)
    try:
        yield tried
    except pytest_socket.SocketBlockedError:
        tried.append("the network")
    finally:
        pytest_socket.enable_socket()


@contextmanager
def no_blocking() -> Iterator[None]:
    """Whatever would block the event loop raises blockbuster.BlockingError."""
    from blockbuster import blockbuster_ctx

    with blockbuster_ctx():
        yield

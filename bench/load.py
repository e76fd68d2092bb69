"""The load: keep-alive connections that each send the next request when the answer is there."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass
class Client(asyncio.Protocol):
    """One connection."""

    requests: Iterator[bytes]
    until: float
    done: asyncio.Future[None]
    answered: int = 0
    failed: int = 0
    _buffer: bytearray = field(default_factory=bytearray)
    _size: int = 0

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport
        transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._size:
            self._size = _size_of(self._buffer)
        if not self._size or len(self._buffer) < self._size:
            return
        self.answered += 1
        self.failed += not self._buffer.startswith(b"HTTP/1.1 200")
        self._buffer.clear()
        self._size = 0
        if time.perf_counter() < self.until:
            self._transport.write(next(self.requests))
        else:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def run(port: int, requests: Sequence[bytes], *, connections: int, seconds: float) -> float:
    """Requests per second. Raises RuntimeError when an answer is not 200."""
    loop = asyncio.get_running_loop()
    begin = time.perf_counter()
    clients = []
    for number in range(connections):
        start = number * len(requests) // connections
        turn = itertools.cycle([*requests[start:], *requests[:start]])
        client = Client(turn, begin + seconds, loop.create_future())
        clients.append(client)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*(client.done for client in clients))
    elapsed = time.perf_counter() - begin
    if any(client.failed for client in clients):
        raise RuntimeError("The server answered with something else than 200.")
    return sum(client.answered for client in clients) / elapsed


def _size_of(buffer: bytearray) -> int:
    """How many bytes the answer has, once its head is there."""
    end = buffer.find(_HEAD_END)
    if end < 0:
        return 0
    head = buffer[: end + 2].lower()  # the body is not looked at: the load shares a core with PostgreSQL
    at = head.find(_LENGTH) + len(_LENGTH)
    return end + len(_HEAD_END) + int(head[at : head.find(b"\r\n", at)])

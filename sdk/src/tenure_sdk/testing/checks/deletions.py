"""DEL: what is gone at the remote side goes, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenure_sdk.errors import ConnectorError
from tenure_sdk.testing.bench import Bench, Breach, NotApplicable, check, some
from tenure_sdk.testing.host import SWEEP_LEAST, ReferenceHost
from tenure_sdk.testing.wire import status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenure_sdk.connector import Stream
    from tenure_sdk.testing.remote import RemoteSide


@check(
    "DEL-1",
    "bronze",
    "What is deleted at the remote side goes, as the stream declares",
    "Put its id into Page.deletes, or declare the way in which the stream really tells.",
)
async def deletions_arrive(bench: Bench) -> None:
    """One record of each stream that tells."""
    for stream in _telling(bench):
        remote, host, ids = await _filled(bench, stream)
        remote.remove(stream.name, ids[0])
        await host.pull_all()
        left = _has(host, stream, ids)
        if left != set(ids[1:]):
            gone = set(ids) - left - {ids[0]}
            seen = f"{ids[0]} is still there" if ids[0] in left else f"{some(gone)} went too"
            raise Breach(seen=seen, expected=f"{ids[0]} is gone, and nothing else", at=stream.method)


@check(
    "DEL-2",
    "bronze",
    "A reading that breaks off deletes nothing",
    "Let the error pass: a snapshot that ends without one says that all the rest is gone.",
)
async def broken_readings_delete_nothing(bench: Bench) -> None:
    """The remote side fails after the first request."""
    for stream in bench.streams(deletes="snapshot"):
        _, host, ids = await _filled(bench, stream)
        host.wire.arm(status(500), times=50, after=1)
        problem: Exception | None = None
        try:
            await host.pull(stream)
        except ConnectorError as raised:
            problem = raised
        lost = set(ids) - _has(host, stream, ids) | set(host.waiting.get(stream.name, ()))
        if lost or problem is None:
            seen = "the stream ended as if it were whole" + (f", and {some(lost)} were lost" if lost else "")
            raise Breach(seen=seen, expected="an error, and every record kept", at=stream.method)


@check(
    "DEL-3",
    "silver",
    "What comes back under its old id is there again",
    "Yield the record like any other one; streams depend on the one that tells their deletions.",
)
async def recreated_records_return(bench: Bench) -> None:
    """Deleted, read, brought back, read."""
    for stream in _telling(bench):
        remote, host, ids = await _filled(bench, stream)
        remote.remove(stream.name, ids[0])
        remote.clock.forward(60)
        await host.pull_all()
        remote.recreate(stream.name, ids[0])
        await host.pull_all()
        if ids[0] not in _has(host, stream, ids):
            raise Breach(seen=f"{ids[0]} is still gone", expected="the record", at=stream.method)


@check(
    "DEL-4",
    "silver",
    "A sweep of very many waits for a person",
    "Nothing to mend in the connector: the host holds the sweep back.",
)
async def large_sweeps_wait(bench: Bench) -> None:
    """More than 20 records and a tenth of a snapshot stream."""
    for stream in bench.streams(deletes="snapshot"):
        remote, host, _ = await _filled(bench, stream)
        ids = remote.seed(stream.name, 2 * SWEEP_LEAST)
        await host.pull(stream)
        for each in ids:
            remote.remove(stream.name, each)
        await host.pull(stream)
        if _has(host, stream, ids) != set(ids) or set(host.waiting.get(stream.name, ())) != set(ids):
            raise Breach(seen="records went without asking", expected="a sweep that waits", at=stream.method)


async def _filled(bench: Bench, stream: Stream) -> tuple[RemoteSide, ReferenceHost, Sequence[str]]:
    remote = bench.remote()
    ids = remote.seed(stream.name, 2 * remote.page_size)
    host = bench.host(remote)
    await host.pull(stream)
    remote.clock.forward(60)
    return remote, host, ids


def _has(host: ReferenceHost, stream: Stream, ids: Sequence[str]) -> set[str]:
    kinds: list[Any] = [record.__struct_config__.tag for record in stream.records]
    return {each for kind in kinds for each in host.store.get(kind, {})} & set(ids)


def _telling(bench: Bench) -> list[Stream]:
    found = [stream for stream in bench.streams() if stream.deletes != "none"]
    if not found:
        raise NotApplicable("no stream tells what is gone")
    return found

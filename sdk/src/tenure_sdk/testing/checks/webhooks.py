"""WEB: the remote side's calls, genuine and not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from tenure_sdk.connector import Webhook
from tenure_sdk.errors import ConnectorError
from tenure_sdk.testing.bench import Bench, Breach, NotApplicable, check, some
from tenure_sdk.testing.isolated import no_network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenure_sdk.testing.remote import RemoteSide
    from tenure_sdk.webhooks import Delivery, Signal

FUZZED = 60


@check(
    "WEB-1",
    "bronze",
    "A genuine call is believed, and says what changed",
    "Compare the verifier's header, encoding and prefix with the vendor's documentation.",
)
async def genuine_calls(bench: Bench) -> None:
    """A delivery about one record."""
    for hook, remote, delivery, stream, record_id in _deliveries(bench):
        if not hook.verifier.holds(delivery, ["an older secret", remote.secret]):
            raise Breach(seen="the signature was refused", expected="that it holds", at=hook.method)
        signals = _signals(bench, hook, delivery)
        streams = {each.name for each in bench.connector.streams()}
        wrong = [signal.stream for signal in signals if signal.stream not in streams]
        if wrong:
            raise Breach(seen=f"a signal for {some(wrong)}", expected=f"one of {some(streams)}", at=hook.method)
        told = [signal for signal in signals if signal.stream == stream]
        if not any(record_id in signal.ids or not (signal.ids or signal.deleted) for signal in told):
            raise Breach(seen=f"signals {signals}", expected=f"one for {stream} {record_id}", at=hook.method)


@check(
    "WEB-2", "bronze", "A call that is not genuine is refused", "Use one of the shipped verifiers, over the raw body."
)
async def forged_calls(bench: Bench) -> None:
    """A flipped bit, another secret, no header, an old timestamp."""
    for hook, remote, delivery, _, _ in _deliveries(bench):
        flipped = bytearray(delivery.body)
        flipped[len(flipped) // 2] ^= 1
        replace = msgspec.structs.replace
        forged = {
            "one flipped bit": replace(delivery, body=bytes(flipped)),
            "no headers": replace(delivery, headers={}),
        }
        if getattr(hook.verifier, "tolerance", None) and _has_timestamp(hook):
            forged["an old timestamp"] = replace(delivery, received_at=delivery.received_at + timedelta(days=2))
        for name, each in forged.items():
            if hook.verifier.holds(each, [remote.secret]) and not _needs_no(hook, name):
                raise Breach(seen=f"{name} was believed", expected="a refusal", at=hook.method)
        for secrets in (["another secret"], [], [""]):
            if hook.verifier.holds(delivery, secrets):
                raise Breach(seen=f"the secrets {secrets} vouched for it", expected="a refusal", at=hook.method)


@check("WEB-3", "bronze", "The remote side's question is answered", "Declare challenge=... as the vendor documents it.")
async def challenges(bench: Bench) -> None:
    """The handshake."""
    asked = [hook for hook in bench.declared(Webhook) if hook.challenge is not None]
    if not asked:
        raise NotApplicable("no challenge is declared")
    for hook in asked:
        remote = bench.remote()
        question, wanted = remote.challenge(hook.path)
        reply = hook.challenge.reply(question) if hook.challenge else None
        if reply != wanted:
            raise Breach(seen=f"{reply}", expected=f"{wanted}", at=hook.method)
        [plain] = remote.seed(bench.streams()[0].name, 1)
        delivery = _delivery(bench, remote, hook, bench.streams()[0].name, plain)
        if delivery is not None and hook.challenge and hook.challenge.reply(delivery) is not None:
            raise Breach(seen="an ordinary call was taken for a question", expected="None", at=hook.method)


@check(
    "WEB-4",
    "bronze",
    "The same call twice means the same, and is done once",
    "Let the signals depend on the delivery alone.",
)
async def repeated_calls(bench: Bench) -> None:
    """Parsed twice, fetched twice."""
    for hook, remote, delivery, _, _ in _deliveries(bench):
        first, second = _signals(bench, hook, delivery), _signals(bench, hook, delivery)
        if first != second:
            raise Breach(seen=f"{first} and {second}", expected="the same signals", at=hook.method)
        host = bench.host(remote)
        kinds = {stream.name: stream.records[0] for stream in bench.connector.streams()}
        fetched = [
            sorted(await host.fetch(kinds[signal.stream], signal.ids), key=lambda record: str(record.id))
            for signals in (first, second)
            for signal in signals
            if signal.ids and bench.fetches(kinds[signal.stream])
        ]
        half = len(fetched) // 2
        if fetched[:half] != fetched[half:]:
            raise Breach(seen="the second reading brought others", expected="the same records", at=hook.method)


@check(
    "WEB-5",
    "silver",
    "A call about something unknown says nothing",
    "Leave out what you do not know: vendors add events.",
)
async def unknown_events(bench: Bench) -> None:
    """A genuine call of a new kind."""
    for hook in bench.declared(Webhook):
        delivery = bench.remote().unknown_delivery(hook.path)
        try:
            signals = _signals(bench, hook, delivery)
        except Exception as problem:
            seen = f"{type(problem).__name__}: {problem}"
            raise Breach(seen=seen, expected="no signals", at=hook.method) from problem
        if signals:
            raise Breach(seen=f"{signals}", expected="no signals", at=hook.method)


@check(
    "WEB-6",
    "bronze",
    "Reading a call asks nobody",
    "Read the delivery alone; what it names is fetched later, by @fetch.",
)
async def parsing_is_pure(bench: Bench) -> None:
    """A plain function, without network."""
    for hook, _, delivery, _, _ in _deliveries(bench):
        method = hook.bound(bench.connector())
        found: Any = None
        with no_network() as tried:
            found = method(delivery)
        if asyncio.iscoroutine(found):
            found.close()
            raise Breach(seen="an async method", expected="a plain one", at=hook.method)
        if tried:
            raise Breach(seen=f"it tried to reach {some(tried)}", expected="no network", at=hook.method)


@check(
    "WEB-7",
    "silver",
    "No body makes it fail in an unexpected way",
    "Raise ValueError for a body that is none; use .get for what may be missing.",
)
async def strange_bodies(bench: Bench) -> None:
    """Bodies by chance, and good ones that were changed."""
    from hypothesis import strategies as st

    plain = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), _grown, max_leaves=8)
    for hook, _, delivery, _, _ in _deliveries(bench):
        places = st.tuples(st.lists(st.integers(0, 9), max_size=4), plain)
        changed = places.map(partial(_changed, delivery.json()))
        bodies = st.one_of(st.binary(max_size=40), plain.map(msgspec.json.encode), changed.map(msgspec.json.encode))
        _fuzz(bench, hook, delivery, bodies)


def _fuzz(bench: Bench, hook: Webhook, delivery: Delivery, bodies: Any) -> None:
    from hypothesis import HealthCheck, given, settings

    @settings(
        max_examples=FUZZED,
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=(HealthCheck.too_slow,),
    )
    @given(bodies)
    def fuzz(body: bytes) -> None:
        _parse(bench, hook, delivery, body)

    fuzz()


def _parse(bench: Bench, hook: Webhook, delivery: Delivery, body: bytes) -> None:
    try:
        _signals(bench, hook, msgspec.structs.replace(delivery, body=body))
    except (ValueError, ConnectorError):
        return
    except Exception as problem:
        seen = f"{type(problem).__name__}: {problem} for the body {body!r}"
        raise Breach(seen=seen, expected="signals, or a ValueError", at=hook.method) from problem


def _deliveries(bench: Bench) -> Iterator[tuple[Webhook, RemoteSide, Delivery, str, str]]:
    """A genuine delivery for each webhook: about the first stream that the remote side has calls for."""
    for hook in bench.declared(Webhook):
        remote = bench.remote()
        for stream in bench.streams():
            [record_id] = remote.seed(stream.name, 1)
            delivery = _delivery(bench, remote, hook, stream.name, record_id)
            if delivery is not None:
                yield hook, remote, delivery, stream.name, record_id
                break


def _delivery(bench: Bench, remote: RemoteSide, hook: Webhook, stream: str, record_id: str) -> Delivery | None:
    """None where the remote side does not call about the stream, but calls about another."""
    try:
        return remote.delivery(hook.path, stream, [record_id])
    except LookupError:
        if stream == bench.streams()[-1].name:
            raise
        return None


def _signals(bench: Bench, hook: Webhook, delivery: Delivery) -> list[Signal]:
    found: Any = hook.bound(bench.connector())(delivery)
    if asyncio.iscoroutine(found):
        found.close()
        raise NotApplicable("the method is async: see WEB-6")
    return list(found)


def _has_timestamp(hook: Webhook) -> bool:
    return getattr(hook.verifier, "timestamp_header", "always") is not None


def _needs_no(hook: Webhook, forgery: str) -> bool:
    """A verifier that looks for a secret cannot see a flipped bit, one that looks into the body needs no header."""
    name = type(hook.verifier).__name__
    return (name, forgery) in {
        ("StaticToken", "one flipped bit"), ("BodySecret", "one flipped bit"), ("BodySecret", "no headers"),
    }  # fmt: skip


def _grown(children: Any) -> Any:
    from hypothesis import strategies as st

    return st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=6), children, max_size=3)


def _changed(thing: Any, change: tuple[list[int], Any]) -> Any:
    return _with(thing, *change)


def _with(thing: Any, path: list[int], value: Any) -> Any:
    """The thing with the value in the place that the path leads to."""
    if not path or not isinstance(thing, dict | list) or not thing:
        return value
    if isinstance(thing, dict):
        name = list(thing)[path[0] % len(thing)]
        return thing | {name: _with(thing[name], path[1:], value)}
    place = path[0] % len(thing)
    return [*thing[:place], _with(thing[place], path[1:], value), *thing[place + 1 :]]

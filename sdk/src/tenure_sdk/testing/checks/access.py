"""AUT: being let in, being refused, and being let in again."""

from __future__ import annotations

import asyncio
from typing import Any

from tenure_sdk.auth import ClientCredentials, OAuth2
from tenure_sdk.errors import AuthRevoked, ConfigInvalid, ConnectorError
from tenure_sdk.testing.bench import Bench, Breach, NotApplicable, check, marks, records_of, some


@check(
    "AUT-1",
    "bronze",
    "Good credentials lead to an account with an id that stays",
    "Return Account(id, label) with the remote side's own id of the account.",
)
async def good_credentials(bench: Bench) -> None:
    """Asked twice."""
    first, second = await bench.host().check(), await bench.host().check()
    if not first.id or first.id != second.id:
        raise Breach(seen=f"the ids {first.id!r} and {second.id!r}", expected="one id, and the same", at="check")


@check(
    "AUT-2",
    "bronze",
    "Credentials that are refused are told from everything else",
    "Let AuthRevoked pass; raise ConfigInvalid where a setting is wrong.",
)
async def bad_credentials(bench: Bench) -> None:
    """The remote side accepts nothing."""
    _needs_auth(bench)
    remote = bench.remote()
    host = bench.host(remote)
    remote.revoke()
    try:
        account = await host.check()
    except (AuthRevoked, ConfigInvalid):
        return
    except Exception as problem:
        raise Breach(seen=f"{type(problem).__name__}: {problem}", expected="AuthRevoked", at="check") from problem
    raise Breach(seen=f"the account {account.id}", expected="AuthRevoked", at="check")


@check(
    "AUT-3",
    "silver",
    "A token that expires between two pages costs one renewal and no record",
    "Ask through ctx, and let AuthExpired pass: the host renews and asks again.",
)
async def expiry_midway(bench: Bench) -> None:
    """After the first page."""
    _needs_token(bench)
    for stream in bench.streams():
        remote = bench.remote()
        remote.seed(stream.name, 2 * remote.page_size + 1)
        whole = records_of(await bench.host(remote).pages(stream))
        host = bench.host(remote)
        made = host.connector()
        read: list[Any] = []
        pages = stream.read(made, host.context())
        async for page in pages:
            if not read:
                remote.expire()
            read.append(page)
        found = records_of(read)
        if len(found) != len(whole) or marks(found) != marks(whole):
            seen = f"{len(found)} records, {len(marks(found))} ids"
            raise Breach(seen=seen, expected=f"the {len(whole)} records of a reading without it", at=stream.method)
        if host.refreshes != 1 and len(read) > 1:
            raise Breach(seen=f"{host.refreshes} renewals", expected="one", at=stream.method)


@check(
    "AUT-5",
    "silver",
    "Many requests on an expired token make one renewal",
    "Keep no token in the connector: ctx asks the host for the one that is good now.",
)
async def one_renewal(bench: Bench) -> None:
    """Eight at once."""
    _needs_token(bench)
    remote = bench.remote()
    host = bench.host(remote)
    remote.expire()
    await asyncio.gather(*(host.check() for _ in range(8)))
    if host.refreshes != 1:
        raise Breach(seen=f"{host.refreshes} renewals", expected="one for all eight", at="check")


@check(
    "AUT-6",
    "silver",
    "What the redirect brings is used",
    "Read ctx.callback where the account is first asked for, and say ConfigInvalid where it is missing.",
)
async def callback_is_used(bench: Bench) -> None:
    """`callback_params`, with and without."""
    auth = bench.connector.auth
    wanted = auth.callback_params if isinstance(auth, OAuth2 | ClientCredentials) else ()
    if not wanted:
        raise NotApplicable("no callback_params are declared")
    host = bench.host()
    missing = set(wanted) - host.remote.callback.keys()
    if missing:
        raise Breach(seen=f"the remote of the tests brings no {some(missing)}", expected="all callback_params")
    await host.check()
    try:
        account = await host.connector().check(bench.host().context(callback={}))
    except ConnectorError:
        return
    raise Breach(seen=f"without them the account is {account.id}", expected="an error that says so", at="check")


@check(
    "AUT-7",
    "silver",
    "Another account is known as another",
    "Return the remote side's id of the account, not something that all accounts share.",
)
async def other_account(bench: Bench) -> None:
    """Two remote accounts."""
    if not bench.connector.hosts:
        raise NotApplicable("it talks to no remote account")
    one = await bench.host(bench.remote("1")).check()
    other = await bench.host(bench.remote("2")).check()
    if one.id == other.id:
        raise Breach(seen=f"both are {one.id}", expected="two ids for two accounts", at="check")


def _needs_auth(bench: Bench) -> None:
    if bench.connector().auth_for(bench.remote().config) is None:
        raise NotApplicable("nobody has to be let in")


def _needs_token(bench: Bench) -> None:
    if not isinstance(bench.connector().auth_for(bench.remote().config), OAuth2 | ClientCredentials):
        raise NotApplicable("its credentials do not expire")

"""AUT: being let in, being refused, and being let in again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tenure_sdk.auth import ClientCredentials, OAuth2
from tenure_sdk.errors import AuthRevoked, ConfigInvalid, ConnectorError
from tenure_sdk.testing.bench import Bench, Breach, NotApplicable, check, marks, records_of, some

if TYPE_CHECKING:
    from tenure_sdk.http import httpx
    from tenure_sdk.testing.host import ReferenceHost
    from tenure_sdk.testing.wire import Forward

LONGEST_WATCH = 1_000
"""How many requests of a stream are looked at."""


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
    "AUT-4",
    "silver",
    "No token is used that the host has not kept",
    "Renew nothing in the connector: ask through ctx, and let the host keep what the remote side gives anew.",
)
async def kept_before_used(bench: Bench) -> None:
    """Every token on the line is one that was kept, and a kill at the first use of a new one locks nobody out."""
    _needs_token(bench)
    for stream in bench.streams():
        remote = bench.remote()
        remote.seed(stream.name, 2 * remote.page_size + 1)
        host = bench.host(remote)
        watch = _TokenWatch(host)
        host.wire.arm(watch, times=LONGEST_WATCH)
        remote.expire()
        await host.pull(stream)
        if watch.strange:
            raise Breach(
                seen="a request with a token of its own", expected="that which the host keeps", at=stream.method
            )
        watch.kill = True
        remote.expire()
        with suppress(_Killed):
            await host.pull(stream)
        again = bench.restarted(host)
        await again.pull(stream)
        if again.refreshes:
            raise Breach(
                seen="a kill after the renewal, and it renews again", expected="the kept token", at=stream.method
            )


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


class _Killed(BaseException):
    """The worker dies: nobody can catch it."""


class _TokenWatch:
    """Looks at the bearer tokens of a host's requests, and kills the worker at the first use of a renewed one."""

    def __init__(self, host: ReferenceHost) -> None:
        self.strange = False
        """A token was shown that the host has never kept."""
        self.kill = False
        self._host = host

    async def __call__(self, request: httpx.Request, forward: Forward) -> httpx.Response:
        """Answer a request, or die."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        kept = [each.values["access_token"] for each in self._host.kept]
        self.strange |= kind == "Bearer" and token not in kept
        if self.kill and token == kept[-1] and self._host.refreshes > 1:
            raise _Killed
        return await forward(request)


def _needs_auth(bench: Bench) -> None:
    if bench.connector().auth_for(bench.remote().config) is None:
        raise NotApplicable("nobody has to be let in")


def _needs_token(bench: Bench) -> None:
    if not isinstance(bench.connector().auth_for(bench.remote().config), OAuth2 | ClientCredentials):
        raise NotApplicable("its credentials do not expire")

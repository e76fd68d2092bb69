"""The only way out: requests of connectors reach public addresses, and nothing inside the network."""

from __future__ import annotations

import asyncio
import re
import socket
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpcore2
import httpx2 as httpx

from tenure_sdk import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from httpcore2 import SOCKET_OPTION

    Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

LIMITS = httpx.Limits(max_connections=50, max_keepalive_connections=10, keepalive_expiry=30)
"""Of the client that all integrations of one connector share in a process."""

_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
_REFUSED = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "::/96",  # unspecified, loopback and IPv4-compatible
        "::ffff:0:0/96", "::ffff:0:0:0/96",  # IPv4 in IPv6, mapped and translated
        "64:ff9b::/96", "64:ff9b:1::/48",  # NAT64: a gateway reaches the IPv4 address inside
        "100::/64", "2001::/23",  # discard only; IETF protocols with Teredo
        "2001:db8::/32", "2002::/16",  # documentation; 6to4
        "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip


class EgressRefused(ConfigInvalid):
    """Requests may go to public https addresses only. Correct the address in the settings."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Requests may go to public https addresses only: {why}. Correct the address in the settings.")


def check_url(url: httpx.URL | str) -> None:
    """Refuse what no connector has to ask for: another scheme or port, a user, a disguised address.

    Read by the parser that sends it: two parsers may see two hosts in one address. Raises EgressRefused.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise EgressRefused("this is no address") from None
    if parsed.scheme != "https":
        raise EgressRefused(f"{parsed.scheme or 'no scheme'} is not https")
    if parsed.port not in {None, 443}:
        raise EgressRefused(f"port {parsed.port} is not 443")
    if parsed.userinfo:
        raise EgressRefused("a user stands in the address")
    check_host(parsed.raw_host.decode("ascii"))


def check_host(host: str) -> None:
    """Refuse a host that is an address inside the network, or a number in disguise. Raises EgressRefused."""
    if not host:
        raise EgressRefused("no host is named")
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        if _NUMERIC.fullmatch(host.rstrip(".").rpartition(".")[2]):  # 2130706433, 0x7f.1, 0177.0.0.1 and the like
            raise EgressRefused(f"{host} is no host name") from None
        return
    check_address(address)


def check_address(address: IPv4Address | IPv6Address) -> None:
    """Refuse an address that is not public, or that leads to an IPv4 address inside it. Raises EgressRefused."""
    scoped = isinstance(address, IPv6Address) and address.scope_id is not None
    if scoped or not address.is_global or any(address in network for network in _REFUSED):
        raise EgressRefused("the host leads inside the network")


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the system knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Guarded(httpx.AsyncHTTPTransport):
    """Sends requests to public https addresses; a name is resolved once, and what was checked is connected to.

    So a name cannot lead elsewhere between the check and the connection. TLS still asks for the name's certificate.
    Proxies of the environment are not used.
    """

    def __init__(self, resolve: Resolve = resolve, backend: httpcore2.AsyncNetworkBackend | None = None) -> None:
        super().__init__(limits=LIMITS)
        self._pool = httpcore2.AsyncConnectionPool(  # as the parent makes it, but for how it connects
            ssl_context=httpx.create_ssl_context(),
            max_connections=LIMITS.max_connections,
            max_keepalive_connections=LIMITS.max_keepalive_connections,
            keepalive_expiry=LIMITS.keepalive_expiry,
            network_backend=_Checked(resolve, backend or httpcore2.AnyIOBackend()),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises EgressRefused before anything is sent to where it must not go."""
        check_url(request.url)
        return await super().handle_async_request(request)


class _Checked(httpcore2.AsyncNetworkBackend):
    """Connects to the addresses that were checked, never to a name."""

    def __init__(self, resolve: Resolve, backend: httpcore2.AsyncNetworkBackend) -> None:
        self._resolve = resolve
        self._backend = backend

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of the library
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first of the host's addresses that takes one. Raises EgressRefused."""
        check_host(host)
        failure: Exception = httpcore2.ConnectError("the host has no address")
        for address in await self._addresses(host, port, timeout):
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as problem:
                failure = problem
        raise failure

    async def _addresses(self, host: str, port: int, seconds: float | None) -> Sequence[str]:
        """Where the host leads; one address inside the network spoils all of them."""
        try:
            async with asyncio.timeout(seconds):
                found = await self._resolve(host, port)
        except TimeoutError:
            raise httpcore2.ConnectTimeout("the name was not resolved in time") from None
        except OSError as problem:
            raise httpcore2.ConnectError("the name cannot be resolved") from problem
        for address in found:
            check_address(ip_address(address))
        return found

    async def sleep(self, seconds: float) -> None:
        """Wait, as the library asks for between its own attempts."""
        await self._backend.sleep(seconds)


class Sandboxed(httpx.AsyncHTTPTransport):
    """Sends what is meant for a vendor to its sandbox on this machine; path and Host header stay as they are."""

    def __init__(self, address: str) -> None:
        super().__init__(limits=LIMITS)
        self._address = httpx.URL(address)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the sandbox."""
        url = request.url.copy_with(scheme=self._address.scheme, host=self._address.host, port=self._address.port)
        return await super().handle_async_request(
            httpx.Request(
                request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
            )
        )


def in_sandbox(url: str, address: str) -> str:
    """An address of a vendor as a browser finds it in the sandbox."""
    return urlsplit(url)._replace(scheme=urlsplit(address).scheme, netloc=urlsplit(address).netloc).geturl()


def client(transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    """A client that keeps nothing between requests, follows no redirect and reads no environment."""
    return httpx.AsyncClient(
        transport=transport, trust_env=False, follow_redirects=False, max_redirects=0, cookies=no_cookies()
    )


def no_cookies() -> CookieJar:
    """A jar that takes no cookie: the requests of several tenants share a client."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


class Shared(httpx.AsyncBaseTransport):
    """A transport that outlives the client which uses it."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        return await self._transport.handle_async_request(request)

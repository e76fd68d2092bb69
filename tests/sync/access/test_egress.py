"""Requests of connectors leave for public https addresses only, whatever an address is dressed up as."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpcore2
import httpx2
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sync.access import egress
from sync.access.egress import EgressRefused, Guarded
from tenure_sdk import ConfigInvalid
from tests.sync.access.vendor import Vendor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

INSIDE = [
    "0.0.0.0", "10.0.0.1",  # noqa: S104 - it is refused
    "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.1.2.3", "169.254.0.1",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::10.0.0.1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1",
    "2002:7f00:1::", "2002:a00:1::1", "2002:808:808::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001::1",
    "2001:db8::1", "100::1", "3fff::1", "5f00::1",
]  # fmt: skip
OUTSIDE = ["8.8.8.8", "1.1.1.1", "52.96.0.1", "2606:4700::1111", "2a00:1450:4001:800::200e"]
DISGUISED = [
    "2130706433", "017700000001", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "127.0.1", "10.1", "0",
    "127.0.0.1.", "8.8.8.010", "1.2.3.4.5", "example.127", "0x", "a.0x7f",
]  # fmt: skip
ADDRESSES = [
    "http://vendor.example/", "ftp://vendor.example/", "file:///etc/passwd", "gopher://vendor.example/",
    "//vendor.example",
    "https://vendor.example:80/", "https://vendor.example:8443/", "https://vendor.example:22/",
    "https://user@vendor.example/", "https://user:password@vendor.example/", "https://vendor.example@10.0.0.1/",
    "https:///path", "https://", "", "https://vendor.example:port/", "https://[::1",
]  # fmt: skip


class Wire(httpcore2.AsyncNetworkBackend):
    """A network that remembers where it was asked to connect, and connects to nothing."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.tls: list[str | None] = []

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        self.asked.append((host, port))
        if host == "9.9.9.9":
            raise httpcore2.ConnectError("refused")
        wire = self

        class Stream(httpcore2.AsyncNetworkStream):
            async def start_tls(self, *_: Any, server_hostname: str | None = None, **__: Any) -> Any:
                wire.tls.append(server_hostname)
                raise httpcore2.ConnectError("no further")

            async def aclose(self) -> None:
                """Nothing is open."""

        return Stream()


class Names:
    """A resolver that answers something else each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0)


async def get(url: str, names: Names, wire: Wire) -> None:
    async with egress.client(Guarded(names, wire)) as client:
        await client.get(url)


@pytest.mark.parametrize("address", INSIDE)
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    names, wire = Names([address]), Wire()
    with pytest.raises(EgressRefused, match="leads inside the network"):
        await get("https://vendor.example/", names, wire)
    assert wire.asked == []


@pytest.mark.parametrize("address", INSIDE)
async def test_an_address_inside_is_refused(address: str) -> None:
    names, wire = Names([address]), Wire()
    host = f"[{address}]" if ":" in address else address
    with pytest.raises((EgressRefused, httpx2.InvalidURL)):
        await get(f"https://{host}/", names, wire)
    assert (names.asked, wire.asked) == ([], [])


@pytest.mark.parametrize("host", DISGUISED)
async def test_a_number_in_disguise_is_refused(host: str) -> None:
    names, wire = Names(["8.8.8.8"]), Wire()
    with pytest.raises((EgressRefused, httpx2.InvalidURL)):
        await get(f"https://{host}/", names, wire)
    with pytest.raises(EgressRefused):
        egress.check_host(host)
    assert (names.asked, wire.asked) == ([], [])


@pytest.mark.parametrize("url", ADDRESSES)
async def test_an_address_that_no_connector_needs_is_refused(url: str) -> None:
    with pytest.raises(EgressRefused):
        egress.check_url(url)
    wire = Wire()
    with pytest.raises((EgressRefused, httpx2.InvalidURL, httpx2.UnsupportedProtocol)):
        await get(url, Names(["8.8.8.8"]), wire)
    assert wire.asked == []


@pytest.mark.parametrize("address", OUTSIDE)
async def test_a_public_address_is_connected_to_under_the_name_of_the_host(address: str) -> None:
    names, wire = Names([address]), Wire()
    with pytest.raises(httpx2.ConnectError):
        await get("https://vendor.example/", names, wire)
    assert (names.asked, wire.asked, wire.tls) == (["vendor.example"], [(address, 443)], ["vendor.example"])


async def test_one_address_inside_spoils_all() -> None:
    wire = Wire()
    with pytest.raises(EgressRefused):
        await get("https://vendor.example/", Names(["8.8.8.8", "10.0.0.1"]), wire)
    assert wire.asked == []


async def test_what_was_checked_is_connected_to_though_the_name_leads_elsewhere_by_then() -> None:
    names, wire = Names(["8.8.8.8"], ["127.0.0.1"]), Wire()
    with pytest.raises(httpx2.ConnectError):
        await get("https://vendor.example/", names, wire)
    assert (wire.asked, len(names.answers)) == ([("8.8.8.8", 443)], 1)
    with pytest.raises(EgressRefused):
        await get("https://vendor.example/", names, wire)
    assert wire.asked == [("8.8.8.8", 443)]


async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    wire = Wire()
    with pytest.raises(httpx2.ConnectError):
        await get("https://vendor.example/", Names(["9.9.9.9", "8.8.8.8"]), wire)
    assert wire.asked == [("9.9.9.9", 443), ("8.8.8.8", 443)]


async def test_a_name_without_addresses_is_no_connection() -> None:
    with pytest.raises(httpx2.ConnectError):
        await get("https://vendor.example/", Names([]), Wire())


async def test_the_refusal_tells_nothing_of_the_network() -> None:
    with pytest.raises(ConfigInvalid) as refused:
        await get("https://vendor.example/", Names(["10.1.2.3"]), Wire())
    assert "10.1.2.3" not in str(refused.value)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:3128")
    wire = Wire()
    with pytest.raises(httpx2.ConnectError):
        await get("https://vendor.example/", Names(["8.8.8.8"]), wire)
    assert wire.asked == [("8.8.8.8", 443)]


async def test_no_redirect_is_followed() -> None:
    def redirect(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(302, headers={"location": "https://10.0.0.1/"})

    async with egress.client(httpx2.MockTransport(redirect)) as client:
        assert (await client.get("https://vendor.example/")).status_code == 302
        with pytest.raises(httpx2.TooManyRedirects):
            await client.get("https://vendor.example/", follow_redirects=True)


async def test_no_cookie_goes_from_one_tenant_to_the_next() -> None:
    vendor = Vendor()
    async with egress.client(httpx2.ASGITransport(vendor)) as client:
        for _ in range(2):
            assert "set-cookie" in (await client.get("https://vendor.example/")).headers
    assert [headers.get("cookie") for headers in vendor.headers] == [None, None]


async def test_the_sandbox_gets_the_path_and_the_host_of_the_vendor() -> None:
    wire = Wire()
    transport = egress.Sandboxed("http://127.0.0.1:9001")
    transport._pool = httpcore2.AsyncConnectionPool(network_backend=wire)
    request = httpx2.Request("GET", "https://api.vendor.example/v3/things?page=2")
    with pytest.raises(NotImplementedError):  # the wire goes no further than the connection
        await transport.handle_async_request(request)
    assert wire.asked == [("127.0.0.1", 9001)]
    assert request.headers["host"] == "api.vendor.example"


class Detour(httpcore2.AsyncNetworkBackend):
    """A network in which every address leads to a port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def connect_tcp(self, _: str, __: int, *rest: Any, **options: Any) -> httpcore2.AsyncNetworkStream:
        return await httpcore2.AnyIOBackend().connect_tcp("127.0.0.1", self.port, *rest, **options)


async def test_the_certificate_is_that_of_the_name(
    tmp_path: Path, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certified(tmp_path, "vendor.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    options = {
        "ssl_certfile": str(certificate),
        "ssl_keyfile": str(certificate),
        "lifespan": "off",
        "log_level": "error",
    }
    server = uvicorn.Server(uvicorn.Config(Vendor(access_token="let-me-in"), port=unused_port, **options))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.01)
    names = Names(["8.8.8.8"], ["8.8.8.8"])
    async with egress.client(Guarded(names, Detour(unused_port))) as client:
        answer = await client.get("https://vendor.example/account", headers={"X-Key": "let-me-in"})
        assert answer.json() == {"id": "realm-1", "label": "Craft & Sons"}
        with pytest.raises(httpx2.ConnectError, match="certificate verify failed"):
            await client.get("https://another.example/account")
    server.should_exit = True
    await running


def certified(folder: Path, name: str) -> Path:
    """A file with a key and a certificate of its own for a name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return file

"""What is fetched from the web, from where, and what is refused, over real sockets."""

from __future__ import annotations

import gzip
import ipaddress
import ssl
import time
import zlib
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from web_server import (
    INSIDE,
    PUBLIC,
    Names,
    WebServer,
    answer,
    head,
    redirect,
    trickle,
    web_of,
)

from ingest.guard import Guard, UnresolvedError, is_public, shown
from ingest.metadata import SIDECAR
from ingest.progress import Progress
from ingest.web import MOST_REDIRECTS, WEB, Bounds, Web, file_name, web_address
from kb.errors import KnowledgeBaseError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

PAGE = "<html><body><h1>Garantie</h1><p>La garantie couvre la moitié.</p></body></html>".encode()
MEGABYTE = 1024 * 1024


@pytest.fixture
def server() -> Iterator[WebServer]:
    """A server on the address that tests call public, with one page."""
    with WebServer() as opened:
        opened.routes["/page"] = lambda: answer(PAGE)
        yield opened


@pytest.fixture
def inside() -> Iterator[WebServer]:
    """A server on an address of this machine, which must never be asked."""
    with WebServer(INSIDE) as opened:
        opened.routes["/secret"] = lambda: answer(b"<p>the secret of this machine</p>")
        yield opened


@pytest.fixture
def names() -> Names:
    """``doc.example`` is public."""
    return Names(doc_example=[[PUBLIC]])


def _left_behind(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _refused(web: Web, url: str) -> str:
    with pytest.raises(SourceError) as caught:
        web.fetch(url)
    return str(caught.value)


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.1.2.3", "0.1.2.3", "10.0.0.7", "172.16.0.1", "172.31.9.9"),
        *("192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1"),
        *("192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8"),
        *("fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "100::1"),
        *("2001:db8::1", "3fff::1", "4000::1", "5f00::1"),
        *("2002:7f00:1::", "2002:808:808::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
        *("64:ff9b::7f00:1", "64:ff9b::a00:7", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808"),
        *("2606:4700::1111%1", "doc.example", "", "1.2.3", "2130706433"),
    ],
)
def test_an_address_that_is_not_public_is_known(address: str) -> None:
    """Private, own, shared, reserved ones, and those that carry another one within them."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "193.51.0.1", "2606:4700::1111", "2a01:e0a::1", "64:ff9b::808:808"]
)
def test_public_addresses_are_known(address: str) -> None:
    """Also an IPv4 address as networks without IPv4 write it."""
    assert is_public(address)


_INSIDE_4 = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
)
_INSIDE_6 = (
    *("::/96", "::ffff:0:0/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32"),
    *("2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
)


@given(
    st.sampled_from([*_INSIDE_4, *_INSIDE_6]).flatmap(
        lambda network: st.ip_addresses(network=network)
    )
)
def test_no_address_of_an_inner_network_is_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """Whatever lies in one of the special networks of RFC 6890 and its successors is refused."""
    assert not is_public(str(address))


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_what_is_public_is_global_to_python_too(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """Nothing that the standard library calls private, local, reserved or a group gets through."""
    if is_public(str(address)):
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_loopback
        assert not address.is_link_local


@given(st.ip_addresses(v=4))
def test_an_embedded_address_opens_no_way_round(address: ipaddress.IPv4Address) -> None:
    """No way of writing an IPv4 address within an IPv6 one makes it more public than it is."""
    number = int(address)
    packed = [
        ipaddress.IPv6Address(0xFFFF << 32 | number),
        ipaddress.IPv6Address(number),
        ipaddress.IPv6Address(0x2002 << 112 | number << 80),
        ipaddress.IPv6Address(0x20010000 << 96 | number << 64 | number ^ 0xFFFFFFFF),
    ]
    assert not any(is_public(str(each)) for each in packed)
    translated = ipaddress.IPv6Address(0x64FF9B << 96 | number)
    assert is_public(str(translated)) == is_public(str(address))


# Names


@pytest.mark.parametrize(
    "host",
    [
        *("2130706433", "017700000001", "0x7f000001", "0x7F.1", "127.1", "127.0.1", "0177.0.0.1"),
        *("0", "0x", "134744072", "8.8.8.8.", "1.2.3.256", "a.0x7f"),
    ],
)
def test_a_number_in_the_place_of_a_name_is_refused(host: str) -> None:
    """The system would read it as an address, whatever a resolver here would say."""
    with pytest.raises(SourceError, match="number in the place of a name"):
        Guard(resolve=lambda _: ["8.8.8.8"]).addresses(host, 443)


def test_every_address_of_a_name_must_be_public() -> None:
    """One inner address among public ones is enough to refuse a name."""
    guard = Guard(resolve=lambda _: ["8.8.8.8", "10.0.0.7"])
    with pytest.raises(SourceError, match=r"doc.example resolves to 10.0.0.7, no public one"):
        guard.addresses("doc.example", 443)


def test_a_name_that_is_not_known_is_told_apart() -> None:
    """It is no refusal: it may be known a little later."""
    with pytest.raises(UnresolvedError):
        Guard(resolve=lambda _: []).addresses("doc.example", 443)


@pytest.mark.parametrize("port", [22, 25, 3306, 5432, 6379, 9200])
def test_ports_of_other_services_are_not_asked(port: int) -> None:
    """Documents lie on the ports of the web."""
    with pytest.raises(SourceError, match="only 80, 443, 8080, 8443 are asked"):
        WEB.addresses("8.8.8.8", port)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://doc.example/a.pdf", "only https and http"),
        ("file:///etc/passwd", "only https and http"),
        ("gopher://doc.example/1", "only https and http"),
        ("https:///a.pdf", "no host"),
        ("https://user:word@doc.example/a.pdf", "user or password"),
        ("https://user@doc.example/a.pdf", "user or password"),
        ("https://doc.example:port/", "no address that can be read"),
        ("https://[::1/", "no address that can be read"),
        ("https://300.1.2.3/", "no address that can be read"),
        ("https://doc.example/\udcff", "no address that can be read"),
    ],
)
def test_what_is_no_address_of_the_web_is_refused(url: str, said: str) -> None:
    """Other schemes, users and passwords, and what can't be read."""
    with pytest.raises(SourceError, match=said):
        web_address(url)


@given(st.text(max_size=60).map(lambda text: f"http://{text}"))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    """No text makes another error than one that is told to people."""
    try:
        url = web_address(text)
    except SourceError:
        return
    assert url.scheme == "http"
    assert url.host
    assert not url.userinfo


# Over sockets


def test_a_document_is_fetched_and_says_where_it_is_from(
    server: WebServer, names: Names, tmp_path: Path
) -> None:
    """Its file has the name and type of the answer, and its address beside it."""
    url = f"http://doc.example:{server.port}/page?year=2026#top"
    path = web_of(tmp_path, names).fetch(url)
    assert path.read_bytes() == PAGE
    assert path.name == "page.html"
    stated = yaml.safe_load((path.parent / SIDECAR).read_text())
    assert stated == {"files": {"page.html": {"url": url.removesuffix("#top")}}}
    (asked,) = server.asked
    assert asked.host == f"doc.example:{server.port}"
    assert asked.headers["user-agent"].startswith("operation-milliard-kb/")
    assert _left_behind(tmp_path) == sorted(
        str(each.relative_to(tmp_path)) for each in (path, path.parent / SIDECAR)
    )


def test_an_address_leads_to_the_same_file_every_time(
    server: WebServer, names: Names, tmp_path: Path
) -> None:
    """Also when the answer calls itself otherwise; another address has another file."""
    web = web_of(tmp_path, names)
    url = f"http://doc.example:{server.port}"
    first = web.fetch(f"{url}/page")
    server.routes["/page"] = lambda: answer(
        b"%PDF-1.7 now", "application/pdf", Content_Disposition='attachment; filename="new.pdf"'
    )
    assert web.fetch(f"{url}/page") == first
    assert first.read_bytes() == b"%PDF-1.7 now"
    assert web.fetch(f"{url}/page?another").parent != first.parent


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "rebound.example", "0"]
)
def test_an_address_inside_is_never_asked(inside: WebServer, host: str, tmp_path: Path) -> None:
    """By number, by name, or by a name of others: no connection is made."""
    names = Names(localhost=[[INSIDE]], rebound_example=[[INSIDE]])
    said = _refused(web_of(tmp_path, names), f"http://{host}:{inside.port}/secret")
    assert "not asked" in said
    assert inside.asked == []
    assert _left_behind(tmp_path) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:7f00:1]", "localhost", "inner.example"])
def test_a_redirect_to_an_address_inside_is_not_followed(
    server: WebServer, inside: WebServer, host: str, tmp_path: Path
) -> None:
    """After however many public ones."""
    target = f"http://{host}:{inside.port}/secret"
    server.routes["/first"] = lambda: redirect("/second")
    server.routes["/second"] = lambda: redirect(target)
    names = Names(doc_example=[[PUBLIC]], localhost=[[INSIDE]], inner_example=[[INSIDE]])
    said = _refused(web_of(tmp_path, names), f"http://doc.example:{server.port}/first")
    assert "no public one: not asked" in said
    assert [each.path for each in server.asked] == ["/first", "/second"]
    assert inside.asked == []


def test_a_name_that_moves_inside_after_it_was_looked_at_is_not_asked_there(
    tmp_path: Path,
) -> None:
    """A connection goes to the address that was looked at; a second one is looked at anew."""
    names = Names(doc_example=[[PUBLIC], [INSIDE]])
    with WebServer() as server:
        server.routes["/first"] = lambda: redirect("/secret")
        web = web_of(tmp_path, names)
        said = _refused(web, f"http://doc.example:{server.port}/first")
    assert "doc.example resolves to 127.0.0.1" in said
    assert [each.path for each in server.asked] == ["/first"]
    assert names.asked == ["doc.example", "doc.example"]


def test_a_connection_resolves_its_name_once(
    server: WebServer, inside: WebServer, tmp_path: Path
) -> None:
    """Were it resolved again to connect, the second answer would lead inside."""
    names = Names(doc_example=[[PUBLIC], [INSIDE]])
    path = web_of(tmp_path, names).fetch(f"http://doc.example:{server.port}/page")
    assert path.read_bytes() == PAGE
    assert names.asked == ["doc.example"]
    assert inside.asked == []


def test_proxies_of_the_environment_are_not_used(
    server: WebServer, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would resolve the name itself, where nobody looks at the address."""
    with WebServer(INSIDE) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.delenv(name.upper(), raising=False)
        web = web_of(tmp_path, names)
        assert web.fetch(f"http://doc.example:{server.port}/page").read_bytes() == PAGE
        said = _refused(web, f"http://unknown.example:{server.port}/page")
    assert proxy.asked == []
    assert "download the file and ingest it" in said


def test_redirects_end(server: WebServer, names: Names, tmp_path: Path) -> None:
    """As many as are allowed are followed, one more is not."""
    server.routes["/0"] = lambda: answer(PAGE)
    for number in range(1, MOST_REDIRECTS + 2):
        server.routes[f"/{number}"] = partial(redirect, f"/{number - 1}")
    web = web_of(tmp_path, names)
    url = f"http://doc.example:{server.port}"
    assert web.fetch(f"{url}/{MOST_REDIRECTS}").read_bytes() == PAGE
    said = _refused(web, f"{url}/{MOST_REDIRECTS + 1}")
    assert f"more than {MOST_REDIRECTS} redirects" in said


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("ftp://doc.example/a", "only https and http"),
        ("file:///etc/passwd", "only https and http"),
        ("http://user:word@doc.example/page", "user or password"),
        ("http://[::1", "can't be had"),
    ],
)
def test_redirects_to_other_than_the_web_are_refused(
    server: WebServer, names: Names, tmp_path: Path, target: str, said: str
) -> None:
    """A redirect is looked at like an address that was given; no password is told."""
    server.routes["/first"] = lambda: redirect(target)
    found = _refused(web_of(tmp_path, names), f"http://doc.example:{server.port}/first")
    assert said in found
    assert "word@" not in found


# Bodies


def _endless() -> Iterator[bytes]:
    yield head(Content_Type="text/html", Transfer_Encoding="chunked")
    while True:
        yield b"10000\r\n" + b"x" * 0x10000 + b"\r\n"


def _bomb() -> bytes:
    return gzip.compress(b"\0" * (64 * MEGABYTE), mtime=0)


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (lambda: answer(b"x" * (MEGABYTE + 1)), "larger than 1 MB"),
        (lambda: [head(Content_Length=str(10**12)), b"x"], "larger than 1 MB"),
        (lambda: [head(Content_Length="9" * 5000), b"x"], "."),
        (lambda: [head(), b"x" * (2 * MEGABYTE)], "larger than 1 MB"),
        (_endless, "larger than 1 MB"),
        (lambda: answer(_bomb(), Content_Encoding="gzip"), "larger than 1 MB"),
        (lambda: answer(gzip.compress(_bomb()), Content_Encoding="gzip, gzip"), "packed as"),
        (lambda: answer(zlib.compress(b"x"), Content_Encoding="deflate"), "packed as"),
        (lambda: answer(b"no gzip", Content_Encoding="gzip"), "can't be unpacked"),
        (lambda: answer(gzip.compress(PAGE)[:-9], Content_Encoding="gzip"), "breaks off"),
        (lambda: [head(Content_Length="1000"), b"x"], "can't be had"),
        (lambda: [b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200_000], "can't be had"),
        (lambda: [b"SSH-2.0-OpenSSH_9.6\r\n\r\n"], "can't be had"),
        (lambda: [b""], "can't be had"),
        (lambda: answer(status="404 Not Found"), "answered 404 Not Found"),
        (lambda: answer(PAGE, status="206 Partial Content"), "answered 206"),
    ],
)
def test_an_answer_that_is_no_whole_document_leaves_nothing(
    server: WebServer,
    names: Names,
    tmp_path: Path,
    pieces: Callable[[], Iterable[bytes]],
    said: str,
) -> None:
    """Too large, packed to swell, cut, or no answer at all: refused, and nothing half-written."""
    server.routes["/bad"] = pieces
    assert said in _refused(web_of(tmp_path, names), f"http://doc.example:{server.port}/bad")
    assert _left_behind(tmp_path) == []
    assert [path for path in tmp_path.rglob("*") if path.is_dir()] == []


def test_a_failed_answer_leaves_what_was_there(
    server: WebServer, names: Names, tmp_path: Path
) -> None:
    """The file that was fetched before stays whole."""
    web = web_of(tmp_path, names)
    url = f"http://doc.example:{server.port}/page"
    path = web.fetch(url)
    server.routes["/page"] = lambda: [head(Content_Length="1000"), b"half"]
    _refused(web, url)
    assert path.read_bytes() == PAGE


def test_a_packed_answer_is_unpacked(server: WebServer, names: Names, tmp_path: Path) -> None:
    """The one way of packing that is asked for; what follows the end of it is left."""
    packed = gzip.compress(PAGE * 1000) + b"\0" * 4096
    server.routes["/packed"] = lambda: answer(packed, Content_Encoding="gzip")
    path = web_of(tmp_path, names).fetch(f"http://doc.example:{server.port}/packed")
    assert path.read_bytes() == PAGE * 1000
    assert server.asked[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("slow", ["body", "headers"])
def test_an_answer_that_trickles_in_is_given_up(
    server: WebServer, names: Names, tmp_path: Path, slow: str
) -> None:
    """A sign now and then keeps no connection longer than the time for the whole."""
    start = head(Content_Type="text/html") if slow == "body" else b"HTTP/1.1 200 OK\r\n"
    piece = b"x" if slow == "body" else b"X-More: x\r\n"
    server.routes["/slow"] = lambda: trickle(start, piece, lambda: time.sleep(0.05))
    web = web_of(tmp_path, names, whole=1.0)
    assert "takes too long" in _refused(web, f"http://doc.example:{server.port}/slow")
    assert _left_behind(tmp_path) == []


def test_an_answer_that_falls_silent_is_given_up(
    server: WebServer, names: Names, tmp_path: Path
) -> None:
    """Waiting for a word has a limit of its own."""
    server.routes["/silent"] = lambda: trickle(head(), b"", lambda: time.sleep(5))
    web = web_of(tmp_path, names, idle=0.3)
    assert "without a word" in _refused(web, f"http://doc.example:{server.port}/silent")


# TLS


def _certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate for a name, signed by itself: the file to trust, and a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, private = folder / "cert.pem", folder / "key.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return trusted, context


def test_tls_is_about_the_name_although_a_number_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name goes into the handshake, and the certificate must be its own."""
    trusted, context = _certificate(tmp_path, "doc.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    names = Names(doc_example=[[PUBLIC]], other_example=[[PUBLIC]])
    with WebServer(tls=context) as server:
        server.routes["/page"] = lambda: answer(PAGE)
        server.routes["/down"] = lambda: redirect(f"http://doc.example:{server.port}/page")
        web = web_of(tmp_path / "fetched", names)
        path = web.fetch(f"https://doc.example:{server.port}/page")
        assert path.read_bytes() == PAGE
        assert server.asked[0].server_name == "doc.example"
        said = _refused(web, f"https://other.example:{server.port}/page")
        assert "CERTIFICATE_VERIFY_FAILED" in said
        said = _refused(web, f"https://doc.example:{server.port}/down")
        assert "leads from https to http://doc.example" in said
        assert len(server.asked) == 2


# Names of files, and the report


def _named(url: str, media_type: str = "", disposition: str = "") -> str:
    headers = {"Content-Type": media_type, "Content-Disposition": disposition}
    sent = [(name.encode(), value.encode()) for name, value in headers.items() if value]
    return file_name(httpx.Response(200, headers=sent, request=httpx.Request("GET", url)))


@pytest.mark.parametrize(
    ("url", "media_type", "disposition", "name"),
    [
        ("https://doc.example/a/report.pdf", "application/pdf", "", "report.pdf"),
        ("https://doc.example/report", "application/pdf; x=y", "", "report.pdf"),
        ("https://doc.example/report.pdf", "text/html; charset=utf-8", "", "report.html"),
        ("https://doc.example/v2026.1", "text/html", "", "v2026.1.html"),
        ("https://doc.example/notes.md", "text/plain", "", "notes.md"),
        ("https://doc.example/notes", "text/plain", "", "notes.txt"),
        ("https://doc.example/table.csv", "application/octet-stream", "", "table.csv"),
        ("https://doc.example/run.exe", "application/octet-stream", "", "run.exe"),
        ("https://doc.example/", "text/html", "", "doc.example.html"),
        ("https://doc.example/d", "", 'attachment; filename="étude.pdf"', "étude.pdf"),
        ("https://doc.example/d", "", "inline; filename*=UTF-8''%C3%A9tude.pdf", "étude.pdf"),
        ("https://doc.example/d", "", 'a; filename="../../etc/passwd"', "passwd"),
        ("https://doc.example/d", "", 'a; filename="C:\\\\temp\\\\x.pdf"', "x.pdf"),
        ("https://doc.example/d", "", 'a; filename="metadata.yaml"', "file-metadata.yaml"),
        ("https://doc.example/..%2F..%2Fx.pdf", "", "", "x.pdf"),
        ("https://doc.example/%2e%2e%00.pdf", "", "", "pdf"),
        ("https://doc.example/.bashrc", "", "", "bashrc"),
        ("https://doc.example/d", "", "a; filename*=nonsense''%FF.pdf", "ÿ.pdf"),
    ],
)
def test_a_file_is_named_after_its_answer(
    url: str, media_type: str, disposition: str, name: str
) -> None:
    """As it is stated or as the address ends, never with folders, with the suffix of its type."""
    assert _named(url, media_type, disposition) == name


def test_an_address_that_fails_is_a_line_and_the_others_go_on(
    server: WebServer, names: Names, tmp_path: Path
) -> None:
    """The line names the address without its query, and why it failed."""
    url = f"http://doc.example:{server.port}"
    fetched = web_of(tmp_path, names).fetch_all(
        [f"{url}/missing?token=hidden", f"{url}/page", f"{url}/page", "ftp://u:p@doc.example/a"],
        Progress(),
    )
    assert [path.read_bytes() for path in fetched.paths] == [PAGE]
    assert [(line.path, line.reason) for line in fetched.failed] == [
        (f"{url}/missing", "answered 404 Not Found."),
        ("ftp://doc.example/a", "is an address of ftp: only https and http are fetched."),
    ]


def test_a_folder_that_cannot_be_written_is_no_fault_of_the_address(
    server: WebServer, names: Names, tmp_path: Path
) -> None:
    """The whole run says so at once."""
    (tmp_path / "fetched").write_text("a file in the way")
    with pytest.raises(KnowledgeBaseError, match="can't be written"):
        web_of(tmp_path / "fetched", names).fetch(f"http://doc.example:{server.port}/page")


def test_what_is_told_of_an_address_holds_no_secret() -> None:
    """Neither user nor password, query nor fragment."""
    assert shown("https://u:p@doc.example/a?token=1#b") == "https://doc.example/a"


def test_the_guard_of_the_command_is_the_strict_one(inside: WebServer, tmp_path: Path) -> None:
    """What nobody injects a guard into asks public addresses at the ports of the web alone."""
    web = Web(tmp_path, Bounds(1))
    said = _refused(web, f"http://127.0.0.1:{inside.port}/secret")
    assert "only 80, 443, 8080, 8443" in said
    assert "no public one" in _refused(web, "http://127.0.0.1:8080/secret")
    assert inside.asked == []

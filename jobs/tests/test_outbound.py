import gzip
import ipaddress
import socket
import ssl
import threading
import time
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from jobs.outbound import (
    Limits,
    OutboundRejected,
    OutboundUnavailable,
    connection,
    fetch,
    parse_retry_after,
    redact,
)
from jobs.outbound.addresses import AddressGuard, is_public


@pytest.fixture
def guard(httpserver: HTTPServer) -> AddressGuard:
    """Lets the local test server through, by its exact host and port."""
    return AddressGuard([f"{httpserver.host}:{httpserver.port}"])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "100.64.0.1", "100.127.255.254", "169.254.169.254", "169.254.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
        "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::", "2001:0:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_private_and_reserved_addresses_are_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "::ffff:93.184.216.34", "64:ff9b::5db8:d822", "2606:4700::1111"]
)
def test_addresses_of_the_internet_are_public(address):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"]
)
def test_every_way_to_write_loopback_is_refused(httpserver: HTTPServer, host):
    httpserver.expect_request("/").respond_with_data("secret")
    with pytest.raises(OutboundRejected, match="not allowed"):
        fetch(f"http://{host}:{httpserver.port}/", guard=AddressGuard())
    assert httpserver.log == []


def test_the_allow_list_opens_one_host_and_port_only(httpserver: HTTPServer, guard: AddressGuard):
    httpserver.expect_request("/").respond_with_data("welcome")
    assert fetch(httpserver.url_for("/"), guard=guard).body == b"welcome"
    with pytest.raises(OutboundRejected):
        fetch(f"http://{httpserver.host}:1/", guard=guard)
    with pytest.raises(OutboundRejected):
        fetch(f"http://localhost:{httpserver.port}/", guard=AddressGuard([f"127.0.0.1:{httpserver.port}"]))


def test_the_setting_is_the_default_allow_list(httpserver: HTTPServer, settings):
    httpserver.expect_request("/").respond_with_data("welcome")
    settings.OUTBOUND_ALLOWED_HOSTS = [f"{httpserver.host}:{httpserver.port}"]
    assert fetch(httpserver.url_for("/")).body == b"welcome"
    settings.OUTBOUND_ALLOWED_HOSTS = []
    with pytest.raises(OutboundRejected):
        fetch(httpserver.url_for("/"))


def test_the_name_is_resolved_once_and_the_checked_address_is_used(httpserver: HTTPServer):
    """A name server that changes its mind between check and connect has nothing to change."""
    answers = iter([["127.0.0.1"], ["203.0.113.7"], ["203.0.113.7"]])
    guard = AddressGuard([f"feeds.example:{httpserver.port}"], lambda host, port: next(answers))
    httpserver.expect_request("/", headers={"Host": f"feeds.example:{httpserver.port}"}).respond_with_data(
        "pinned"
    )
    assert fetch(f"http://feeds.example:{httpserver.port}/", guard=guard).body == b"pinned"
    assert next(answers) == ["203.0.113.7"]  # asked exactly once


def test_a_name_that_points_to_a_private_address_is_refused(httpserver: HTTPServer):
    guard = AddressGuard(resolver=lambda host, port: ["127.0.0.1", "fd00::1"])
    with pytest.raises(OutboundRejected, match=r"feeds\.example"):
        fetch(f"http://feeds.example:{httpserver.port}/", guard=guard)
    assert httpserver.log == []


def test_private_addresses_beside_public_ones_are_left_out():
    guard = AddressGuard(resolver=lambda host, port: ["10.0.0.1", "93.184.216.34"])
    assert guard.addresses("feeds.example", 80) == ["93.184.216.34"]


def test_a_redirect_into_the_private_network_is_refused(httpserver: HTTPServer):
    other = HTTPServer(host="127.0.0.1", port=0)
    other.start()
    try:
        other.expect_request("/").respond_with_data("secret")
        httpserver.expect_request("/").respond_with_data(status=302, headers={"Location": other.url_for("/")})
        with pytest.raises(OutboundRejected, match="not allowed"):
            fetch(httpserver.url_for("/"), guard=AddressGuard([f"{httpserver.host}:{httpserver.port}"]))
        assert other.log == []
    finally:
        other.stop()


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.com/", "gopher://x/", "/relative", "", "http://", "http://[::1", "http://a:0/"]
)  # fmt: skip
def test_only_http_addresses_with_a_host_are_read(url):
    with pytest.raises(OutboundRejected):
        fetch(url, guard=AddressGuard())


def test_a_redirect_to_another_scheme_is_refused(httpserver: HTTPServer, guard: AddressGuard):
    httpserver.expect_request("/").respond_with_data(status=301, headers={"Location": "file:///etc/passwd"})
    with pytest.raises(OutboundRejected, match="http"):
        fetch(httpserver.url_for("/"), guard=guard)


def _redirect(httpserver: HTTPServer, path: str, target: str, status: int) -> None:
    httpserver.expect_request(path).respond_with_data(status=status, headers={"Location": target})


def test_redirects_are_recorded_hop_by_hop(httpserver: HTTPServer, guard: AddressGuard):
    _redirect(httpserver, "/a", "/b", 301)
    _redirect(httpserver, "/b", "c?x=1#part", 302)
    httpserver.expect_request("/c").respond_with_data("there")
    response = fetch(httpserver.url_for("/a"), guard=guard)
    assert [(hop.url, hop.status) for hop in response.redirects] == [
        (httpserver.url_for("/a"), 301),
        (httpserver.url_for("/b"), 302),
    ]
    assert response.url == httpserver.url_for("/c?x=1")
    assert response.permanent_url is None  # one hop was temporary


def test_an_all_permanent_chain_names_the_new_address(httpserver: HTTPServer, guard: AddressGuard):
    _redirect(httpserver, "/a", "/b", 301)
    _redirect(httpserver, "/b", "/c", 308)
    httpserver.expect_request("/c").respond_with_data("there")
    assert fetch(httpserver.url_for("/a"), guard=guard).permanent_url == httpserver.url_for("/c")
    assert fetch(httpserver.url_for("/c"), guard=guard).permanent_url is None


def test_a_redirect_loop_ends(httpserver: HTTPServer, guard: AddressGuard):
    _redirect(httpserver, "/a", "/a", 302)
    with pytest.raises(OutboundRejected, match="more than 3 times"):
        fetch(httpserver.url_for("/a"), guard=guard, limits=Limits(max_redirects=3))


def test_credentials_stay_with_the_origin_they_were_meant_for(httpserver: HTTPServer):
    with HTTPServer(host="127.0.0.1", port=0) as other:
        other.expect_request("/").respond_with_data("there")
        _redirect(httpserver, "/", other.url_for("/"), 302)
        guard = AddressGuard([f"127.0.0.1:{other.port}", f"{httpserver.host}:{httpserver.port}"])
        fetch(
            httpserver.url_for("/"),
            guard=guard,
            headers={"Authorization": "Bearer secret", "Api-Key": "secret", "Accept": "text/x"},
        )
        assert httpserver.log[0][0].headers["Authorization"] == "Bearer secret"
        arrived = other.log[0][0].headers
        assert "Authorization" not in arrived and "Api-Key" not in arrived and arrived["Accept"] == "text/x"


def test_messages_never_show_credentials(httpserver: HTTPServer):
    with pytest.raises(OutboundUnavailable) as caught:
        fetch("http://user:secret@127.0.0.1:1/feed?token=secret", guard=AddressGuard(["127.0.0.1:1"]))
    assert "secret" not in str(caught.value) and "127.0.0.1" in str(caught.value)
    assert redact("https://u:p@host:8443/a?key=1#f") == "https://host:8443/a?…"


def test_any_status_is_an_answer_and_typed_only_on_request(httpserver: HTTPServer, guard: AddressGuard):
    httpserver.expect_request("/busy").respond_with_data(status=503, headers={"Retry-After": "120"})
    httpserver.expect_request("/gone").respond_with_data(status=410)
    busy, gone = (
        fetch(httpserver.url_for("/busy"), guard=guard),
        fetch(httpserver.url_for("/gone"), guard=guard),
    )
    with pytest.raises(OutboundUnavailable) as later:
        busy.raise_for_status()
    assert (later.value.retry_after, later.value.status) == (120.0, 503)
    with pytest.raises(OutboundRejected) as never:
        gone.raise_for_status()
    assert never.value.status == 410


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120), ("0", 0), ("-5", 0), ("1.5", 1.5), ("Sat, 21 Nov 2026 12:10:00 GMT", 600),
     ("Sat, 21 Nov 2026 11:00:00 GMT", 0), ("999999999", 604800), ("nan", None), ("soon", None), ("", None), (None, None)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert parse_retry_after(value, now=datetime(2026, 11, 21, 12, tzinfo=UTC)) == seconds


def _serve(httpserver: HTTPServer, body: bytes, encoding: str) -> str:
    httpserver.expect_request("/packed").respond_with_data(body, headers={"Content-Encoding": encoding})
    return httpserver.url_for("/packed")


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


TEXT = b"All the news. " * 20_000


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(TEXT), "gzip"),
        (gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:]), "gzip"),
        (gzip.compress(TEXT) + b"\0\0padding", "x-gzip"),
        (zlib.compress(TEXT), "deflate"),
        (_raw_deflate(TEXT), "deflate"),
        (TEXT, "gzip"),
        (TEXT, "identity"),
    ],
    ids=["gzip", "two members", "padded", "zlib", "raw deflate", "mislabelled", "plain"],
)
def test_packed_answers_are_unpacked(httpserver: HTTPServer, guard: AddressGuard, body, encoding):
    assert fetch(_serve(httpserver, body, encoding), guard=guard).body == TEXT


def test_the_size_limit_counts_what_comes_out_of_the_packing(httpserver: HTTPServer, guard: AddressGuard):
    url = _serve(httpserver, gzip.compress(b"\0" * 2_000_000), "gzip")
    with pytest.raises(OutboundRejected, match="larger than the limit of 976 KiB"):
        fetch(url, guard=guard, limits=Limits(max_bytes=1_000_000))
    assert len(fetch(url, guard=guard, limits=Limits(max_bytes=2_000_000)).body) == 2_000_000


def test_an_endless_row_of_empty_members_is_cut_off(httpserver: HTTPServer, guard: AddressGuard):
    url = _serve(httpserver, gzip.compress(b"") * 50_000, "gzip")
    with pytest.raises(OutboundRejected, match="larger"):
        fetch(url, guard=guard, limits=Limits(max_bytes=500_000))


@pytest.mark.parametrize("body", [gzip.compress(TEXT)[:-20], gzip.compress(TEXT)[:60] + b"garbage" * 99])
def test_damaged_packing_may_work_later(httpserver: HTTPServer, guard: AddressGuard, body):
    with pytest.raises(OutboundUnavailable, match=r"ends too early|damaged"):
        fetch(_serve(httpserver, body, "gzip"), guard=guard)


def test_a_packing_nobody_asked_for_is_refused(httpserver: HTTPServer, guard: AddressGuard):
    with pytest.raises(OutboundRejected, match="'br'"):
        fetch(_serve(httpserver, b"??", "br"), guard=guard)


def test_a_server_that_drips_cannot_outlive_the_total_time(guard: AddressGuard):
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                for letter in "HTTP/1.1 200 OK\r\nX-Long: " + "a" * 500:
                    connection.sendall(letter.encode())
                    time.sleep(0.05)
            except OSError:
                return  # the client hung up, as it should

    dripping = threading.Thread(target=drip)
    dripping.start()
    port = listener.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(OutboundUnavailable, match="in time"):
        fetch(
            f"http://127.0.0.1:{port}/",
            guard=AddressGuard([f"127.0.0.1:{port}"]),
            limits=Limits(total_seconds=0.5),
        )
    assert time.monotonic() - started < 15  # all of it would take 26
    dripping.join(timeout=30)
    listener.close()


def test_a_name_server_that_hangs_cannot_outlive_the_connect_time():
    release = threading.Event()
    guard = AddressGuard(resolver=lambda host, port: [str(release.wait(5))])
    with pytest.raises(OutboundUnavailable, match="could not be resolved in time"):
        fetch("http://feeds.example/", guard=guard, limits=Limits(connect_seconds=0.2))
    release.set()


def test_the_certificate_is_checked_against_the_name_not_the_address(tmp_path, monkeypatch):
    """The socket goes to the pinned address, the handshake names and checks the host of the URL."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "feeds.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("feeds.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    names: list[str | None] = []
    serving.sni_callback = lambda connection, name, context: names.append(name)
    trusting = ssl.create_default_context(cafile=str(pem))

    monkeypatch.setattr(connection, "_tls_context", lambda: trusting)

    def get(host: str, port: int) -> bytes:
        guard = AddressGuard([f"{host}:{port}"], lambda host, port: ["127.0.0.1"])
        return fetch(f"https://{host}:{port}/", guard=guard).body

    with HTTPServer(host="127.0.0.1", port=0, ssl_context=serving) as server:
        server.expect_request("/").respond_with_data("safe")
        assert get("feeds.example", server.port) == b"safe"
        assert names == ["feeds.example"]
        with pytest.raises(OutboundUnavailable, match="certificate") as caught:
            get("other.example", server.port)
        assert not caught.value.may_have_arrived


def test_a_body_can_be_sent_and_its_redirect_is_not_followed(httpserver: HTTPServer, guard: AddressGuard):
    def echo(request: Request) -> Response:
        return Response(request.get_data(), status=307, headers={"Location": "/elsewhere"})

    httpserver.expect_request("/", method="POST").respond_with_handler(echo)
    response = fetch(httpserver.url_for("/"), method="POST", content=b"hello", guard=guard)
    assert (response.status, response.body, len(httpserver.log)) == (307, b"hello", 1)

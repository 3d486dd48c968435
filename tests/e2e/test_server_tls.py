"""`quire serve` over TLS."""

import json
import shutil
import signal
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from program import Program
from server_process import Server, post_bytes, read_status, serving, wait_until

CHAT = "/v1/chat/completions"


def chat(text: str, **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 24, **fields}


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for this machine that signs itself, and its key."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", f"/CN={name}",
         "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    return cert, key


def trusting(cert: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(cert))


def served_name(server: Server) -> str:
    """Who the certificate says the server is, whoever signed it."""
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", server.port)) as plain, anyone.wrap_socket(plain) as client:
        der = client.getpeercert(binary_form=True)
    assert der is not None
    shown = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject"],
                           input=der, capture_output=True, check=True)
    return shown.stdout.decode().strip().rsplit("= ", 1)[-1]


def test_everything_goes_over_tls_as_it_does_in_the_clear(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    cert, key = make_certificate(tmp_path, "one")
    flags = ("--tls-cert", str(cert), "--tls-key", str(key))
    with serving(quire.binary, tiny_package) as plain:
        wanted = plain.post(CHAT, chat("Hi"))["choices"]
        golden = plain.post(CHAT, chat("word " * 80, max_tokens=300, min_tokens=300))["choices"]
    with serving(quire.binary, tiny_package, flags=flags) as server:
        server.tls = trusting(cert)
        assert "https://" in server.lines[0]
        assert server.post(CHAT, chat("Hi"))["choices"] == wanted
        assert server.post(CHAT, chat("word " * 80, max_tokens=300, min_tokens=300))["choices"] == golden
        events = server.events(CHAT, chat("Hi"))
        said = "".join(e["choices"][0]["delta"].get("content", "") for e in events[:-1])
        assert said == wanted[0]["message"]["content"]
        # Two requests at once on a connection: the second comes out of what TLS has already read.
        data = post_bytes(CHAT, json.dumps(chat("Hi")).encode())
        with server.raw(data + data.replace(b"Host: quire", b"Host: quire\r\nConnection: close")) as client:
            text = b""
            while more := client.recv(65536):
                text += more
        assert text.count(b"HTTP/1.1 200 OK") == 2
        # A large body, in one record after another.
        assert server.post("/tokenize", {"prompt": "x" * 1_000_000})["count"] == 1_000_000
        # Clients that speak no TLS, or leave in the middle, harm nobody.
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert not client.recv(100).startswith(b"HTTP")
        stream = post_bytes(
            CHAT, json.dumps(chat("Hi", max_tokens=400, ignore_eos=True, stream=True)).encode())
        for _ in range(10):
            with server.raw(stream) as client:
                assert read_status(client) == 200
        server.assert_idle()
        assert server.stop() == 0


def test_a_new_certificate_serves_new_connections_after_sighup(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    cert, key = make_certificate(tmp_path, "one")
    other = make_certificate(tmp_path, "two")
    flags = ("--tls-cert", str(cert), "--tls-key", str(key))
    with serving(quire.binary, tiny_package, flags=flags) as server:
        server.tls = trusting(cert)
        assert served_name(server) == "one"
        old = server.raw()
        for source, target in zip(other, (cert, key), strict=True):
            shutil.copy(source, target)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: served_name(server) == "two", "the new certificate")
        old.sendall(post_bytes(CHAT, json.dumps(chat("Hi")).encode()))
        assert read_status(old) == 200
        old.close()
        # One that cannot be read leaves what is there.
        cert.write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: any("stays as it was" in line for line in server.lines), "a warning")
        assert served_name(server) == "two"


def test_what_is_no_certificate_is_refused_at_the_start(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    cert, key = make_certificate(tmp_path, "one")
    _, wrong = make_certificate(tmp_path, "two")
    start = ("serve", "-m", tiny_package, "--port", "0")
    quire(*start, "--tls-cert", cert).assert_refused(2, "--tls-key")
    quire(*start, "--tls-cert", cert, "--tls-key", wrong).assert_refused(2, str(wrong))
    quire(*start, "--tls-cert", key, "--tls-key", key).assert_refused(2, str(key))
    quire(*start, "--tls-cert", "nowhere", "--tls-key", key).assert_refused(2, "nowhere")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_of_tls_are_not_spoken(
    quire: Program, tiny_package: Path, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    cert, key = make_certificate(tmp_path, "one")
    with serving(quire.binary, tiny_package, flags=("--tls-cert", str(cert), "--tls-key", str(key))) as server:
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        server.tls.load_verify_locations(str(cert))
        server.tls.set_ciphers("ALL:@SECLEVEL=0")
        server.tls.minimum_version, server.tls.maximum_version = version, version
        with pytest.raises(ssl.SSLError):
            server.raw()

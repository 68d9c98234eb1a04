"""Certificates, proxies, and what a bucket's owner wants to see in each request."""

import base64
import contextlib
import datetime
import hashlib
import ipaddress
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from contract.conftest import BUCKET
from contract.store import listed
from osmo.errors import StoreError, Unavailable
from osmo.store import obs
from osmo.store.open import open_store, probe
from support.planted import keep_secret
from support.servers import NO_METADATA, S3Server, rclone_s3

KEYS = {"access_key_id": "AKIA", "access_key": "hunter2"}
CUSTOMER_KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate that nobody knows, beside it `server.pem`, which it signed, and its `key`."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now, folder = datetime.datetime.now(datetime.UTC), tmp_path_factory.mktemp("certificate")
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    signer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    for name, owner, is_ca in (("ca.pem", signer, True), ("server.pem", key, False)):
        about = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "ca.pem")]))
            .public_key(owner.public_key())
            .serial_number(1 + is_ca)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(address, critical=False)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        (folder / name).write_bytes(about.sign(signer, hashes.SHA256()).public_bytes(pem))
    (folder / "key").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return folder / "ca.pem"


@pytest.fixture(scope="module")
def secure(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """rclone's server behind that certificate."""
    with rclone_s3(tmp_path_factory.mktemp("secure") / "data", buckets=(BUCKET,)) as server:
        server.stop()
        server.command[-1:-1] = [
            "--cert",
            str(certificate.with_name("server.pem")),
            "--key",
            str(certificate.with_name("key")),
        ]
        server.endpoint = server.endpoint.replace("http:", "https:")
        server.start()
        yield server


def test_a_certificate_of_somebody_unknown_is_not_trusted(secure: S3Server) -> None:
    with pytest.raises(
        Unavailable, match=r"^s3://bucket at https://.*: the server's certificate is not trusted$"
    ) as caught:
        probe(f"s3://{BUCKET}", secure.environ)
    assert "AWS_CA_BUNDLE" in caught.value.hint


@pytest.mark.parametrize("way", ["AWS_CA_BUNDLE", "ca"])
def test_a_certificate_that_is_named_is_trusted(secure: S3Server, certificate: Path, tmp_path: Path, way: str) -> None:
    environ = {**secure.environ, "OSMO_CONFIG_FILE_DIR": str(tmp_path)}
    if way == "ca":
        text = json.dumps({"auth": {"data": {f"s3://{BUCKET}": {"ca": str(certificate)}}}})
        (tmp_path / "config.yaml").write_text(text)
    else:
        environ[way] = str(certificate)
    store = open_store(f"s3://{BUCKET}/{way}", environ)
    store.put_parts("k", iter((b"x",)), part_size=5 << 20, concurrency=1)
    assert set(listed(store)) == {"k"}
    assert list(store.unfinished("")) == []  # botocore's client trusts it, too


def test_plain_http_is_not_spoken_to_an_address_that_says_https(rclone: S3Server) -> None:
    environ = rclone.environ | {"AWS_ENDPOINT_URL_S3": rclone.endpoint.replace("http:", "https:")}
    with pytest.raises(StoreError, match="does not speak TLS"):
        probe(f"s3://{BUCKET}", environ)


class Recorder:
    """Answers yes to whatever it is asked, and keeps what that was. It takes requests as a proxy, too."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Yes,), {"recorder": self}))
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    def of(self, method: str, sign: str) -> dict[str, str]:
        """The headers of the one such request."""
        (found,) = [headers for its, path, headers in self.requests if its == method and sign in path]
        return found


class _Yes(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recorder: Recorder

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name
        pass

    def do(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.recorder.requests.append((self.command, self.path, headers))
        body = b""
        if "uploads" in self.path and self.command == "POST":
            body = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
        elif self.command == "POST":
            body = b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"
        elif self.command == "GET":
            body = b"<ListBucketResult></ListBucketResult>"
        elif "x-amz-copy-source" in headers:
            body = b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>"
        self.send_response(200)
        self.send_header("ETag", '"e"')
        self.send_header("Last-Modified", "Mon, 23 Nov 2026 00:00:00 GMT")
        self.send_header("Content-Length", str(SIZE if self.command == "HEAD" else len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body if self.command != "HEAD" else b"")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do  # noqa: N815  # the base's names


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    thread = threading.Thread(target=recorder.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield recorder
    recorder.server.shutdown()
    recorder.server.server_close()


def kept(directory: Path, recorder: Recorder, **more: str) -> dict[str, str]:
    values = {**KEYS, "override_url": recorder.endpoint, "region": "r", **more}
    keep_secret(directory / "config.yaml", json.dumps({"auth": {"data": {"s3://b": values, "s3://bucket": values}}}))
    return {**NO_METADATA, "OSMO_CONFIG_FILE_DIR": str(directory)}


SSE = "x-amz-server-side-encryption"
SIZE = 10  # of each object, as the recorder says


def test_what_is_stored_is_encrypted_as_its_owner_wants(recorder: Recorder, tmp_path: Path) -> None:
    store = open_store("s3://b", kept(tmp_path, recorder, sse="aws:kms", sse_kms_key_id="arn"))
    store.put("k", b"x")
    store.put_parts("big", iter((b"x",)), part_size=5 << 20, concurrency=1)
    store.copy("k", "copy", 1)
    for headers in (recorder.of("PUT", "/b/k"), recorder.of("POST", "uploads"), recorder.of("PUT", "/b/copy")):
        assert (headers[SSE], headers[f"{SSE}-aws-kms-key-id"]) == ("aws:kms", "arn")


def test_a_key_of_ones_own_goes_with_each_request_that_needs_it(recorder: Recorder, tmp_path: Path) -> None:
    store = open_store("s3://b", kept(tmp_path, recorder, sse_customer_key=CUSTOMER_KEY))
    store.put("k", b"x")
    store.get("k")
    store.copy("k", "copy", 1)
    for method, sign in (("PUT", "/b/k"), ("GET", "/b/k"), ("PUT", "/b/copy")):
        assert recorder.of(method, sign)[f"{SSE}-customer-key"] == CUSTOMER_KEY
    assert recorder.of("PUT", "/b/copy")[f"x-amz-copy-source-{SSE.removeprefix('x-amz-')}-customer-key"] == CUSTOMER_KEY


@pytest.fixture
def by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if S3's limit of a copy in one request were a byte."""
    monkeypatch.setattr(obs, "LARGEST_COPY", 1)
    monkeypatch.setattr(obs, "COPY_PART", 4)


@pytest.mark.usefixtures("by_parts")
def test_a_copy_by_parts_is_encrypted_too(recorder: Recorder, tmp_path: Path) -> None:
    store = open_store("s3://b", kept(tmp_path, recorder, sse="aws:kms", sse_kms_key_id="arn"))
    store.copy("k", "copy", SIZE)
    headers = recorder.of("POST", "/b/copy?uploads")
    assert (headers[SSE], headers[f"{SSE}-aws-kms-key-id"]) == ("aws:kms", "arn")
    for number in (1, 2, 3):  # S3 refuses it of a part
        assert SSE not in recorder.of("PUT", f"partNumber={number}")


@pytest.mark.usefixtures("by_parts")
def test_a_copy_by_parts_has_the_key_of_ones_own_for_what_is_read_and_for_what_is_written(
    recorder: Recorder, tmp_path: Path
) -> None:
    store = open_store("s3://b", kept(tmp_path, recorder, sse_customer_key=CUSTOMER_KEY))
    store.copy("k", "copy", SIZE)
    digest = base64.b64encode(hashlib.md5(base64.b64decode(CUSTOMER_KEY)).digest()).decode()
    written = {f"{SSE}-customer-{end}": value for end, value in customer(digest).items()}
    read = {f"x-amz-copy-source-{name.removeprefix('x-amz-')}": value for name, value in written.items()}
    begun = recorder.of("POST", "/b/copy?uploads")
    assert begun | written == begun
    for number in (1, 2, 3):
        part = recorder.of("PUT", f"partNumber={number}")
        assert part | written | read == part
    assert recorder.of("HEAD", "/b/k")[f"{SSE}-customer-key"] == CUSTOMER_KEY


def customer(digest: str) -> dict[str, str]:
    return {"algorithm": "AES256", "key": CUSTOMER_KEY, "key-md5": digest}


def test_who_asks_pays(recorder: Recorder, tmp_path: Path) -> None:
    store = open_store("s3://b", kept(tmp_path, recorder, request_payer="requester"))
    store.put("k", b"x")
    assert list(store.unfinished("")) == []
    assert recorder.of("PUT", "/b/k")["x-amz-request-payer"] == "requester"
    assert recorder.of("GET", "uploads")["x-amz-request-payer"] == "requester"


def test_nothing_is_signed_by_nobody(recorder: Recorder, tmp_path: Path) -> None:
    environ = {
        **NO_METADATA,
        "HOME": str(tmp_path),
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_ENDPOINT_URL": recorder.endpoint,
    }
    store = open_store("s3://b", environ)
    store.get("k")
    assert list(store.list("")) == []
    assert list(store.unfinished("")) == []
    assert len(recorder.requests) == 3
    assert all("authorization" not in headers for _, _, headers in recorder.requests)


def test_a_proxy_is_used_and_the_bucket_is_in_the_host_where_that_is_wanted(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", recorder.endpoint)
    environ = kept(tmp_path, recorder, override_url="http://store.example.com", addressing_style="virtual")
    store = open_store("s3://bucket/x", environ)
    store.put("k", b"x")
    assert list(store.unfinished("")) == []
    assert [(method, path.partition("?")[0]) for method, path, _ in recorder.requests] == [
        ("PUT", "http://bucket.store.example.com/x/k"),
        ("GET", "http://bucket.store.example.com/"),
    ]
    assert recorder.requests[0][2]["host"] == "bucket.store.example.com"


def test_the_style_is_found_out_through_a_proxy(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", recorder.endpoint)
    environ = kept(tmp_path, recorder, override_url="http://found.example.com") | {"http_proxy": recorder.endpoint}
    open_store("s3://b/x", environ).put("k", b"x")
    assert [path.partition("?")[0] for _, path, _ in recorder.requests] == [
        "http://found.example.com/b/",
        "http://found.example.com/b/x/k",
    ]
    assert "authorization" not in recorder.requests[0][2]
    assert "authorization" in recorder.requests[1][2]
    assert os.environ["http_proxy"] == recorder.endpoint

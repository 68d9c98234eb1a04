"""As much of Google's XML API as obstore uses: not Google's, so what passes here is not proven of the real thing.

Objects with a generation that grows, conditions on it, multipart uploads, copies, listings in pages. Who has no token
that this server gave out is refused.
"""

import contextlib
import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from support.planted import SECRET
from support.servers import NO_METADATA


@dataclass
class Stored:
    body: bytes
    generation: int
    modified: datetime

    @property
    def etag(self) -> str:
        return f'"g{self.generation}"'


@dataclass
class Google:
    """What it holds, and the token that it wants to see. requests: (method, path) of all that were made."""

    endpoint: str = ""
    objects: dict[tuple[str, str], Stored] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    buckets: set[str] = field(default_factory=set)
    token: str = field(default_factory=lambda: f"{SECRET}-{secrets.token_hex(8)}")
    lock: threading.Lock = field(default_factory=threading.Lock)
    generation: int = 0
    tokens_given: int = 0

    @property
    def environ(self) -> Mapping[str, str]:
        """The machine's own account: this server plays the metadata service, too."""
        return {**NO_METADATA, "GCE_METADATA_HOST": urlsplit(self.endpoint).netloc}

    def put(self, bucket: str, key: str, body: bytes) -> Stored:
        self.generation += 1
        stored = Stored(body, self.generation, datetime.now(UTC))
        self.objects[bucket, key] = stored
        return stored


@contextlib.contextmanager
def google(buckets: tuple[str, ...] = ()) -> Iterator[Google]:
    state = Google(buckets=set(buckets))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"state": state}))
    server.daemon_threads = True
    state.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Google

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name
        pass

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def do(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if parts.path.startswith("/computeMetadata/"):
            return self._metadata(parts.path)
        if self.headers.get("authorization") != f"Bearer {self.state.token}":
            return self._error(401, "AuthenticationRequired")
        bucket, _, key = unquote(parts.path).removeprefix("/").partition("/")
        if bucket not in self.state.buckets:
            return self._error(404, "NoSuchBucket")
        with self.state.lock:
            if not key:
                return self._list(bucket, query)
            answer = getattr(self, f"_{self.command.lower()}")
            return answer(bucket, key, query, body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do  # noqa: N815  # the base's names

    def _metadata(self, path: str) -> None:
        self.state.tokens_given += 1
        token = {"access_token": self.state.token, "expires_in": 3600, "token_type": "Bearer"}
        self._answer(200, json.dumps(token).encode() if path.endswith("/token") else b"someone@example")

    def _put(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> None:
        if "uploadId" in query:
            self.state.uploads[query["uploadId"]][int(query["partNumber"])] = body
            return self._answer(200, etag=f'"part-{query["partNumber"]}"')
        if self.headers.get("x-goog-if-generation-match") == "0" and (bucket, key) in self.state.objects:
            return self._error(412, "PreconditionFailed")
        if source := self.headers.get("x-goog-copy-source"):
            from_bucket, _, from_key = unquote(source).partition("/")
            if (from_bucket, from_key) not in self.state.objects:
                return self._error(404, "NoSuchKey")
            stored = self.state.put(bucket, key, self.state.objects[from_bucket, from_key].body)
            return self._answer(200, b"<CopyObjectResult/>", etag=stored.etag, generation=stored.generation)
        stored = self.state.put(bucket, key, body)
        return self._answer(200, etag=stored.etag, generation=stored.generation)

    def _post(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> None:
        if "uploads" in query:
            identity = secrets.token_hex(8)
            self.state.uploads[identity] = {}
            text = f"<InitiateMultipartUploadResult><UploadId>{identity}</UploadId></InitiateMultipartUploadResult>"
            return self._answer(200, text.encode())
        parts = self.state.uploads.pop(query["uploadId"])
        numbers = [
            int(each.text or 0) for each in ElementTree.fromstring(body).iter() if each.tag.endswith("PartNumber")
        ]
        stored = self.state.put(bucket, key, b"".join(parts[number] for number in numbers))
        text = f"<CompleteMultipartUploadResult><ETag>{escape(stored.etag)}</ETag></CompleteMultipartUploadResult>"
        return self._answer(200, text.encode(), etag=stored.etag, generation=stored.generation)

    def _get(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> None:
        stored = self.state.objects.get((bucket, key))
        if stored is None:
            return self._error(404, "NoSuchKey")
        asked = self.headers.get("range", "").removeprefix("bytes=")
        if not asked or self.command == "HEAD":
            return self._answer(200, stored.body, etag=stored.etag, generation=stored.generation, at=stored.modified)
        first, _, last = asked.partition("-")
        piece = stored.body[int(first) : int(last) + 1 if last else None]
        scope = f"bytes {first}-{int(first) + len(piece) - 1}/{len(stored.body)}"
        return self._answer(206, piece, etag=stored.etag, generation=stored.generation, at=stored.modified, scope=scope)

    _head = _get

    def _delete(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> None:
        if "uploadId" in query:
            self.state.uploads.pop(query["uploadId"], None)
            return self._answer(204)
        if self.state.objects.pop((bucket, key), None) is None:
            return self._error(404, "NoSuchKey")
        return self._answer(204)

    def _list(self, bucket: str, query: dict[str, str]) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        start = query.get("continuation-token", "")
        entries: list[tuple[str, str]] = []
        folders = set[str]()
        for (of, key), stored in sorted(self.state.objects.items()):
            if of != bucket or not key.startswith(prefix) or (start and key <= start):
                continue
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
                continue
            when = stored.modified.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            size, etag = len(stored.body), escape(stored.etag)
            about = f"<LastModified>{when}</LastModified><ETag>{etag}</ETag><Size>{size}</Size>"
            entries.append((key, f"<Contents><Key>{escape(key)}</Key>{about}</Contents>"))
        page = entries[: int(query.get("max-keys") or 1000)]
        more = (
            f"<NextContinuationToken>{escape(page[-1][0])}</NextContinuationToken>" if len(entries) > len(page) else ""
        )
        common = "".join(
            f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in sorted(folders)
        )
        text = f"<ListBucketResult>{''.join(xml for _, xml in page)}{common}{more}</ListBucketResult>"
        self._answer(200, text.encode())

    def _error(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code></Error>".encode())

    def _answer(
        self,
        status: int,
        body: bytes = b"",
        *,
        etag: str = "",
        generation: int = 0,
        at: datetime | None = None,
        scope: str = "",
    ) -> None:
        self.send_response(status)
        headers = {"ETag": etag, "x-goog-generation": generation or "", "Content-Range": scope}
        headers["Last-Modified"] = format_datetime(at, usegmt=True) if at else ""
        for name, value in headers.items():
            if value:
                self.send_header(name, str(value))
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

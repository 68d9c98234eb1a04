"""Multipart requests of S3 that obstore has no name for: parts that the server copies, uploads that nobody ended."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from osmo.errors import NoCopy
from osmo.store.base import Object, Range, Unfinished
from osmo.store.boto import BotoClients
from osmo.store.clients import Purpose
from osmo.store.url import StoreUrl

AT_ONCE = 8  # parts that are copied at the same time
_MOST_PARTS = 10_000
_PAGE = 1000
COMPLETE = 120 * 250_000  # the end of an upload takes S3 longer than most requests: two minutes


def ranges(size: int, part_size: int) -> list[tuple[int, int]]:
    """First and last byte of each part of an object, as S3 counts them: both belong to it.

    The parts are larger where more than 10,000 of `part_size` would be needed.
    """
    step = max(part_size, -(-size // _MOST_PARTS))
    return [(start, min(start + step, size) - 1) for start in range(0, size, step)]


class Multipart:
    """The multipart requests of one store, by keys as its user has them. botocore's errors come out as they are."""

    def __init__(self, url: StoreUrl, clients: BotoClients) -> None:
        self._bucket = url.bucket
        self._path = f"{url.path}/" if url.path else ""
        self._clients = clients

    def copy(self, source: Object, key: str, part_size: int, faster: int) -> None:
        """Write an object to `key` as well, if it still has its etag. See `splice`."""
        parts = (Range(first, last - first + 1) for first, last in ranges(source.size, part_size))
        self.splice(source, key, parts, 1, faster)

    def splice(self, source: Object, key: str, parts: Iterable[bytes | Range], concurrency: int, faster: int) -> None:
        """Write one object from bytes, `concurrency` of them at once, and ranges of another one, if it still has its
        etag. It appears whole or not at all.

        faster: a range gets the time of a body, divided by this. `NoCopy` if the server cannot.
        """
        writing = self._clients.get(Purpose.WRITE, COMPLETE)
        target = self._named(key)
        upload = target | {"UploadId": writing.create_multipart_upload(**target)["UploadId"]}
        copied = {"CopySource": self._named(source.key), "CopySourceIfMatch": f'"{source.etag}"'}

        def send(number: int, part: bytes | Range) -> str:
            if isinstance(part, Range):
                client = self._clients.get(Purpose.PARTS, len(part) // faster)
                span = f"bytes={part.start}-{part.start + part.length - 1}"
                answer = client.upload_part_copy(**upload, **copied, PartNumber=number, CopySourceRange=span)
                answer = answer.get("CopyPartResult", {})
            else:
                client = self._clients.get(Purpose.PARTS, len(part))
                answer = client.upload_part(**upload, PartNumber=number, Body=part)
            if not answer.get("ETag"):  # not every server reads the header: rclone's takes it for an empty part
                raise NoCopy("the server does not copy by parts")
            return str(answer["ETag"])

        try:
            etags = _each(send, parts, concurrency)
            made = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
            writing.complete_multipart_upload(**upload, MultipartUpload={"Parts": made})
        except BaseException:
            with suppress(Exception):  # what came first says more
                writing.abort_multipart_upload(**upload)
            raise

    def versioned(self) -> bool:
        """Whether the bucket keeps what is overwritten."""
        answer = self._clients.get(Purpose.READ).get_bucket_versioning(Bucket=self._bucket)
        return bool(answer.get("Status") == "Enabled")

    def unfinished(self, folder: str) -> Iterator[Unfinished]:
        """What was begun beneath a folder and not ended. One request for 1,000 of them."""
        prefix = self._path + (f"{folder}/" if folder else "")
        client = self._clients.get(Purpose.READ)
        pages = client.get_paginator("list_multipart_uploads")
        with suppress(client.exceptions.NoSuchUpload):  # so rclone's says that nothing was ever begun in a bucket
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix, PaginationConfig={"PageSize": _PAGE}):
                for each in page.get("Uploads", ()):
                    if each["Key"].startswith(prefix):  # not every server heeds the prefix
                        yield Unfinished(each["Key"].removeprefix(self._path), each["UploadId"], each["Initiated"])

    def abort(self, upload: Unfinished) -> None:
        """Give one up. It is no error if it has ended."""
        client = self._clients.get(Purpose.WRITE)
        with suppress(client.exceptions.NoSuchUpload):
            client.abort_multipart_upload(**self._named(upload.key), UploadId=upload.id)

    def _named(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._path + key}


def _each(send: Callable[[int, bytes | Range], str], parts: Iterable[bytes | Range], concurrency: int) -> list[str]:
    """The etags of all parts, numbered from 1. The first one that fails ends it.

    A part is asked for when there is room for it: so no more than `concurrency` + 1 bodies are in memory.
    """
    bodies, ranges = threading.BoundedSemaphore(concurrency), threading.BoundedSemaphore(AT_ONCE)
    failed = threading.Event()
    sent: list[Future[str]] = []

    def one(number: int, part: bytes | Range, room: threading.BoundedSemaphore) -> str:
        try:
            return send(number, part)
        except BaseException:
            failed.set()
            raise
        finally:
            room.release()

    with ThreadPoolExecutor(AT_ONCE + concurrency, thread_name_prefix="part") as threads:
        for number, part in enumerate(parts, 1):
            room = ranges if isinstance(part, Range) else bodies
            room.acquire()
            if failed.is_set():
                break
            sent.append(threads.submit(one, number, part, room))
            del part  # it is the thread's, and gone when that is done with it
    failures = [error for each in sent if (error := each.exception()) is not None]
    if failures:
        raise failures[0]
    return [each.result() for each in sent]

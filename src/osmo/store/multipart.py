"""Multipart requests of S3 that obstore has no name for: a copy by parts, uploads that nobody has ended."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from osmo.errors import NoCopy
from osmo.store.base import Object, Unfinished
from osmo.store.boto import BotoClients
from osmo.store.clients import Purpose
from osmo.store.url import StoreUrl

AT_ONCE = 8  # parts that are copied at the same time
_MOST_PARTS = 10_000
_PAGE = 1000


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
        """Write an object to `key` as well, if it still has its etag. It appears whole or not at all.

        faster: a part gets the time of a body, divided by this. `NoCopy` if the server cannot.
        """
        parts = ranges(source.size, part_size)
        time = max((last - first + 1 for first, last in parts), default=0) // faster
        writing, copying = (self._clients.get(purpose, time) for purpose in (Purpose.WRITE, Purpose.PARTS))
        target = self._named(key)
        upload = target | {"UploadId": writing.create_multipart_upload(**target)["UploadId"]}
        try:
            etags = self._copy_parts(copying, upload, source, parts)
            copied = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
            writing.complete_multipart_upload(**upload, MultipartUpload={"Parts": copied})
        except BaseException:
            with suppress(Exception):  # what came first says more
                writing.abort_multipart_upload(**upload)
            raise

    def _copy_parts(
        self, client: Any, upload: dict[str, str], source: Object, parts: list[tuple[int, int]]
    ) -> list[str]:
        """Their etags. The first one that fails ends it."""

        def copy(number: int) -> str:
            first, last = parts[number - 1]
            answer = client.upload_part_copy(
                **upload,
                PartNumber=number,
                CopySource=self._named(source.key),
                CopySourceRange=f"bytes={first}-{last}",
                CopySourceIfMatch=f'"{source.etag}"',
            )
            etag = answer.get("CopyPartResult", {}).get("ETag")
            if not etag:  # not every server reads the header: rclone's takes it for an empty part
                raise NoCopy("the server does not copy by parts")
            return str(etag)

        threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="copy")
        try:
            return list(threads.map(copy, range(1, len(parts) + 1)))
        finally:
            threads.shutdown(cancel_futures=True)

    def unfinished(self, folder: str) -> Iterator[Unfinished]:
        """What was begun beneath a folder and not ended. One request for 1,000 of them."""
        prefix = self._path + (f"{folder}/" if folder else "")
        pages = self._clients.get(Purpose.READ).get_paginator("list_multipart_uploads")
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

"""Ranges of S3's objects from a server that sends them with status 200, as if each were all of the object: rclone's.

obstore takes no such answer. botocore does, and one such server sends 1 GiB in ranges three times as fast as in one
piece.
"""

import re
import threading
from typing import Any

from osmo.errors import NoRanges
from osmo.store.boto import BotoClients
from osmo.store.clients import Purpose
from osmo.store.url import StoreUrl

AT_ONCE = 8
_SENT = re.compile(r"bytes (\d+)-(\d+)/")


class Ranges:
    """Reads ranges, by keys as the store's user has them. Safe to use from many threads, of which eight are served at a
    time.

    needed: obstore took no answer of this server.
    """

    def __init__(self, url: StoreUrl, clients: BotoClients) -> None:
        self._bucket = url.bucket
        self._path = f"{url.path}/" if url.path else ""
        self._clients = clients
        self.needed = False
        self._turn = threading.BoundedSemaphore(AT_ONCE)

    def read(self, key: str, start: int, length: int) -> bytes:
        """See `Store.get_range`. `NoRanges` if something else comes, which is not read. botocore's errors come out as
        they are."""
        with self._turn:
            client = self._clients.get(Purpose.READ, length)
            from botocore.exceptions import ResponseStreamingError

            for _ in range(Purpose.READ.value):
                try:
                    return self._read(client, key, start, start + length - 1)
                except ResponseStreamingError:  # botocore itself repeats a request only until the answer begins
                    continue
            return self._read(client, key, start, start + length - 1)

    def _read(self, client: Any, key: str, first: int, last: int) -> bytes:
        answer = client.get_object(Bucket=self._bucket, Key=self._path + key, Range=f"bytes={first}-{last}")
        sent = _SENT.match(answer.get("ContentRange", ""))
        if sent is None or int(sent[1]) != first or int(sent[2]) > last:
            answer["Body"].close()
            raise NoRanges("the server gives out no parts of objects")
        return bytes(answer["Body"].read())

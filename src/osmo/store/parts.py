"""Parts on their way into a store."""

import contextlib
from collections.abc import Iterable, Iterator, Sized
from typing import Generic, TypeVar

P = TypeVar("P", bound=Sized)


class Parts(Generic[P]):
    """The parts, how many bytes they were so far, and the error that ended them."""

    def __init__(self, parts: Iterable[P]) -> None:
        self._parts = iter(parts)
        self.size = 0
        self.failure: BaseException | None = None

    def __iter__(self) -> "Parts[P]":
        return self

    def __next__(self) -> P:
        try:
            part = next(self._parts)
        except StopIteration:
            raise
        except BaseException as error:
            self.failure = error
            raise
        self.size += len(part)
        return part

    def close(self) -> None:
        """Let a generator close its file now, also when the store gave up first."""
        close = getattr(self._parts, "close", None)
        if close is not None:
            close()


@contextlib.contextmanager
def sending(parts: Iterable[P]) -> Iterator[Parts[P]]:
    """Inside the block the parts are sent. If they end in an error of their own, that very error comes out.

    Whatever else was raised meanwhile is less true: the store's abort may have failed after it, and a file's
    FileNotFoundError looks like obstore's.
    """
    sent = Parts(parts)
    try:
        yield sent
    except BaseException:
        if sent.failure is None:
            raise
    finally:
        sent.close()
    if sent.failure is not None:
        raise sent.failure

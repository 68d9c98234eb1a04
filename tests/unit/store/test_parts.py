from collections.abc import Iterator

import pytest

from osmo.store.parts import sending


def raising(error: BaseException) -> Iterator[bytes]:
    yield b"ab"
    raise error


def test_the_parts_are_counted() -> None:
    with sending([b"ab", b"c"]) as sent:
        assert list(sent) == [b"ab", b"c"]
    assert sent.size == 3


@pytest.mark.parametrize("after", [None, ValueError("the abort failed, too")])
def test_the_parts_own_error_comes_out(after: Exception | None) -> None:
    own = FileNotFoundError("mine")
    with pytest.raises(FileNotFoundError) as caught:
        send(raising(own), after)
    assert caught.value is own


def send(parts: Iterator[bytes], after: Exception | None) -> None:
    with sending(parts) as sent:
        try:
            list(sent)
        except FileNotFoundError:
            if after:
                raise after from None


def test_another_error_comes_out_when_the_parts_were_good() -> None:
    with pytest.raises(ValueError, match="store"), sending([b"ab"]):
        raise ValueError("store")

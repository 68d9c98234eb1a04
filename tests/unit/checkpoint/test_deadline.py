"""A cycle that has little time."""

from pathlib import Path

import pytest

from osmo.checkpoint.manifest import Trigger
from osmo.checkpoint.throttle import Pace
from osmo.errors import Unavailable
from support.stores import Flaky, Request, is_content
from unit.checkpoint.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def preempt(rig: Rig) -> None:
    """The last cycle, when the machine is taken away."""
    rig.stream.cycle(rig.entries, Trigger.PREEMPT, rig.stop, exit_code=143)


def until_file(rig: Rig, number: int) -> None:
    """The deadline comes with the upload of this number. Files are sent one after the other."""
    rig.stream._sender._throttle._pace = Pace(1, 1, 1)
    rig.stream.deadline_s = rig.clock.monotonic() + 10.0
    seen: list[Request] = []

    def look(request: Request) -> None:
        if is_content(request):
            seen.append(request)
            if len(seen) == number:
                rig.clock.advance(10.0)

    rig.asked.then = look


def test_a_deadline_that_is_far_changes_nothing(rig: Rig) -> None:
    rig.grow({"a": "1", "b/c": "22"})
    rig.stream.deadline_s = rig.clock.monotonic() + 1e6
    preempt(rig)
    rig.check()
    assert (rig.names, rig.newest["unsent"], rig.newest["complete"]) == (["a", "b/c"], [], True)


def test_what_there_was_no_time_for_is_named_and_the_record_says_that_it_is_not_complete(rig: Rig) -> None:
    rig.grow({"a": "1", "b": "22", "c": "333", "d": "4444"})
    until_file(rig, 2)
    preempt(rig)
    rig.check()
    assert rig.names[0] == "a"  # small before large
    assert rig.newest["unsent"] == sorted({"a", "b", "c", "d"} - set(rig.names))
    assert {"c", "d"} <= set(rig.newest["unsent"])
    assert not rig.newest["complete"]
    assert rig.newest["trigger"] == "preempt"
    assert rig.committed.unsent == tuple(rig.newest["unsent"])


def test_with_no_time_at_all_the_record_names_what_is_in_the_store(rig: Rig) -> None:
    rig.grow({"a": "1", "b": "2"})
    rig.cycle()
    rig.grow({"b": "new", "c": "3"})
    rig.stream.deadline_s = rig.clock.monotonic()
    preempt(rig)
    rig.check()
    assert rig.names == ["a", "b"]
    assert [file["name"] for file in rig.newest["files"] if "flags" in file] == ["b"]  # as it was before
    assert (rig.newest["unsent"], rig.newest["complete"]) == (["b", "c"], False)


def test_an_end_marker_waits_for_all_that_it_speaks_for(rig: Rig) -> None:
    rig.grow({"step/deep/x": "1", "step/y": "22", "step/_SUCCESS": "", "latest": "step"})
    until_file(rig, 1)
    preempt(rig)
    rig.check()
    assert {"step/_SUCCESS", "latest"} <= set(rig.newest["unsent"])
    assert not {"ckpt/step/_SUCCESS", "ckpt/latest"} & rig.contents.keys()


def test_after_a_failed_file_no_other_is_begun_however_many_wait_for_their_turn(rig: Rig) -> None:
    """The store hangs: each file that is begun costs a time-out."""
    rig.wrap = lambda store: Flaky(store, 1000, is_content)
    rig.stream._sender._throttle._pace = Pace(1, 1, 1)
    rig.grow({f"file-{number}": "x" for number in range(8)})
    begun: set[str] = set()
    inner = rig.wrap
    rig.wrap = lambda store: _Noting(inner(store), begun)
    assert isinstance(rig.fail(), Unavailable)
    assert len(begun) == 1


class _Noting(Flaky):
    """Notes the keys of puts, refused or not."""

    def __init__(self, inner: Flaky, begun: set[str]) -> None:
        super().__init__(inner, 0)
        self._begun = begun

    def _before(self, request: Request) -> None:
        if is_content(request) and request.key.startswith("ckpt/"):
            self._begun.add(request.key)

from datetime import timedelta
from typing import Any

import pytest

from osmo.cli.check import Known, judge
from osmo.cli.view import Unsaved
from osmo.clock import SystemClock

HOUR = 3600.0
NOTHING, SOMETHING = Unsaved(), Unsaved(2, 3000, 1)


def ago(hours: float | None) -> str | None:
    return None if hours is None else (SystemClock().now() - timedelta(hours=hours)).isoformat()


def since_now(status: dict[str, Any] | None) -> dict[str, Any] | None:
    """The table's hours as moments."""
    return status and status | {name: ago(status[name]) for name in ("checkpointed", "looked")}


def status(checkpointed: float | None, looked: float | None = None, **more: Any) -> dict[str, Any]:
    """A stream's own words: hours ago."""
    known = {"checkpoint": None if checkpointed is None else 7, "seen": checkpointed is not None, "moving": 0}
    return known | {"checkpointed": checkpointed, "looked": looked or checkpointed} | more


@pytest.mark.parametrize(
    ("over", "runs_h", "status", "unsaved", "fine", "words"),
    [
        # It runs: at most two hours may be lost.
        (False, 9.0, status(1.0), SOMETHING, True, "last checkpoint 1 h ago"),
        (False, 9.0, status(3.0), SOMETHING, False, "last checkpoint 3 h ago, longer than 2 h"),
        (False, 9.0, status(3.0, error="s3://b: slow down"), SOMETHING, False, "longer than 2 h: s3://b: slow down"),
        (False, 9.0, status(3.0), NOTHING, True, "everything on disk is in the store"),
        (False, 9.0, status(3.0, looked=0.5), SOMETHING, True, "last checkpoint 30 m ago"),
        (False, 9.0, status(3.0, looked=0.5, moving=1), SOMETHING, False, "3 h ago"),
        (False, 9.0, status(3.0), None, False, "3 h ago"),
        # It has none yet.
        (False, 1.0, None, NOTHING, True, "no checkpoint yet, after 1 h"),
        (False, 3.0, None, NOTHING, False, "no checkpoint yet, after 3 h"),
        (False, 3.0, status(None), SOMETHING, False, "no checkpoint yet, after 3 h"),
        (False, 1.0, status(None, looked=0.1, seen=True, moving=1), SOMETHING, True, "no checkpoint yet, after 1 h"),
        (False, 3.0, status(None, looked=0.1, seen=True, moving=1), SOMETHING, False, "no checkpoint yet, after 3 h"),
        # All was in the store before it began.
        (False, 3.0, status(None, looked=0.1, seen=True), NOTHING, True, "last checkpoint 6 m ago"),
        # It is over: what is there now decides.
        (True, 9.0, status(300.0), NOTHING, True, "everything on disk is in the store"),
        (True, 9.0, status(0.1), SOMETHING, False, "it has ended, and 2 files, 3.0 kB on disk are not in the store"),
        (True, 0.1, status(None), NOTHING, False, "nothing was ever checkpointed"),
        (True, 0.1, None, NOTHING, False, "nothing was ever checkpointed"),
        (True, 9.0, status(300.0, final=True), None, True, "its last checkpoint is in the store"),
        (True, 9.0, status(300.0, final=False), None, False, "its last checkpoint is not in the store"),
    ],
)
def test_fine_is_what_is_in_the_store_or_was_not_long_ago(
    over: bool, runs_h: float, status: dict[str, Any] | None, unsaved: Unsaved | None, fine: bool, words: str
) -> None:
    found = judge(Known(over, runs_h * HOUR, since_now(status), unsaved), 2 * HOUR)
    assert (found.fine, words in found.text) == (fine, True), found.text

from typing import Any

import pytest

from osmo.cli.request import answer

SAVED = {"final": True, "unsent": 0}


def status(state: str, *streams: dict[str, Any], answers: tuple[tuple[str, str], ...] = (), **more: Any) -> Any:
    known = [{"request": request, "failed": failed} for request, failed in answers]
    return {"state": state, "started": "2026", "streams": list(streams), "answers": known} | more


@pytest.mark.parametrize(
    ("found", "want"),
    [
        ({}, None),
        (status("RUNNING", SAVED), None),
        (status("RUNNING", answers=(("other", ""),)), None),
        (status("RUNNING", answers=(("mine", ""), ("other", "no"))), ""),
        (status("RUNNING", answers=(("mine", "no such bucket"),)), "no such bucket"),
        (status("COMPLETED", SAVED, SAVED), ""),
        (status("FAILED", SAVED, message="the command failed: exit code 3"), ""),
        (status("FAILED", SAVED, {"final": False, "unsent": 0}, message="it is not there"), "it is not there"),
        (status("FAILED_PREEMPTED", {"final": True, "unsent": 2}, message="no time for 2"), "no time for 2"),
        (status("FAILED_CANCELED", started=None, message="canceled"), "canceled"),
    ],
)
def test_what_a_status_says_to_a_request(found: dict[str, Any], want: str | None) -> None:
    assert answer(found, "mine") == want

import json
from datetime import UTC, datetime

import pytest

from osmo.logs.line import STAMP_LENGTH, as_json, begins, finished, prefix, uploaded

NOW = datetime(2025, 4, 22, 3, 7, 4, 999999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attempt", "ours", "want"),
    [
        (0, False, b"2025/04/22 03:07:04 [train] "),
        (0, True, b"2025/04/22 03:07:04 [train][osmo] "),
        (1, False, b"2025/04/22 03:07:04 [train retry-1] "),
        (2, True, b"2025/04/22 03:07:04 [train retry-2][osmo] "),
    ],
)
def test_a_line_begins_with_time_task_and_attempt(attempt: int, ours: bool, want: bytes) -> None:
    assert prefix(NOW, "train", attempt, ours=ours) == want
    assert want[STAMP_LENGTH:].startswith(b" [train")


def test_the_lines_of_a_checkpoint_are_those_of_osmos_page() -> None:
    path, url = "/local/path/to/checkpoint", "s3://my-bucket/my-folder"
    assert begins(path, url) == "Checkpointing data from /local/path/to/checkpoint to s3://my-bucket/my-folder..."
    assert finished(path, url) == (
        "Checkpointing data from /local/path/to/checkpoint to s3://my-bucket/my-folder finished"
    )
    moment = datetime(2025, 4, 22, 23, 57, 14, tzinfo=UTC)
    assert uploaded(moment) == "2025-04-22T23:57:14+0000 client [INFO] data: Data has been uploaded"


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (b"2025/04/22 03:07:04 [a-b] x [y]\n", ("2025-04-22T03:07:04+00:00", "a-b", 0, False, "x [y]")),
        (b"2025/04/22 03:07:04 [a][osmo] x\n", ("2025-04-22T03:07:04+00:00", "a", 0, True, "x")),
        (b"2025/04/22 03:07:04 [a retry-12] [osmo] x", ("2025-04-22T03:07:04+00:00", "a", 12, False, "[osmo] x")),
        (b"2025/04/22 03:07:04 [a] \n", ("2025-04-22T03:07:04+00:00", "a", 0, False, "")),
        (b"2025/04/22 03:07:04 [a] \xff\r\xc3\xbc\n", ("2025-04-22T03:07:04+00:00", "a", 0, False, "\ufffd\r\u00fc")),
    ],
)
def test_a_line_is_an_object_for_programs(raw: bytes, want: tuple[object, ...]) -> None:
    told = as_json(raw)
    assert told.count(b"\n") == 1
    assert told.endswith(b"\n")
    assert json.loads(told) == dict(zip(("time", "task", "attempt", "ours", "text"), want, strict=True))


def test_what_is_no_line_of_ours_is_text() -> None:
    assert json.loads(as_json(b"torn\n")) == {"text": "torn"}

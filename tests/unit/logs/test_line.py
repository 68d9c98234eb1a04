from datetime import UTC, datetime

import pytest

from osmo.logs.line import STAMP_LENGTH, begins, finished, prefix, uploaded

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

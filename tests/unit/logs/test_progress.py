import pytest

from osmo.logs.progress import progress

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("done", "total", "seconds", "path", "want"),
    [
        (
            5 * MIB,
            5 * MIB,
            0.779,
            "/local/path/to/checkpoint/file_1.json",
            "100%| 5.00M/5.00M [00:00<00:00, 6.73MB/s, file_name=/local/path/to/checkpoint/file_1.json]",
        ),
        (MIB, 4 * MIB, 10.0, "/a", " 25%| 1.00M/4.00M [00:10<00:30, 105kB/s, file_name=/a]"),
        (0, 0, 0.0, "/a", "100%| 0.00/0.00 [00:00<?, ?B/s, file_name=/a]"),
        (1, 1, 3700.0, "/{a}", "100%| 1.00/1.00 [1:01:40<00:00, 3.70ks/B, file_name=/{a}]"),
    ],
)
def test_the_progress_line_is_tqdms(done: int, total: int, seconds: float, path: str, want: str) -> None:
    assert progress(done, total, seconds, path) == want

import pytest

from osmo.logs.size import bytes_of


@pytest.mark.parametrize(
    ("count", "want"),
    [
        (0, "0 B"),
        (5, "5 B"),
        (999, "999 B"),
        (1024, "1.0 kB"),
        (3_145_728, "3.1 MB"),
        (999_999, "1.0 MB"),
        (2 * 10**12, "2.0 TB"),
        (7 * 10**15, "7000.0 TB"),
    ],
)
def test_sizes_are_decimal_as_disks_and_clouds_count(count: int, want: str) -> None:
    assert bytes_of(count) == want

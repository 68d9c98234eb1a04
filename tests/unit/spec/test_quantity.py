import pytest

from osmo.spec import quantity


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (0, 0),
        (1024, 1024),
        ("1024", 1024),
        ("7B", 7),
        ("1K", 1024),
        ("1Ki", 1024),
        ("1KiB", 1024),
        ("16Gi", 16 * 1024**3),
        ("1.5M", 1536 * 1024),
        (" 2 T ", 2 * 1024**4),
        ("1500m", 2),
        (0.5, 1),
    ],
)
def test_a_size_in_bytes(written: object, size: int) -> None:
    assert quantity.size(written) == size


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("16GB", "'16GB' has the unknown unit 'GB' (did you mean Gi?)"),
        ("16gi", "'16gi' has the unknown unit 'gi' (did you mean Gi?)"),
        ("1P", f"'1P' has the unknown unit 'P' (accepted: {quantity.ACCEPTED})"),
        ("-1", f"'-1' is not a size (accepted: {quantity.ACCEPTED})"),
        (-1, f"-1 is not a size (accepted: {quantity.ACCEPTED})"),
        (True, f"true is not a size (accepted: {quantity.ACCEPTED})"),
        (None, f"null is not a size (accepted: {quantity.ACCEPTED})"),
        (float("inf"), f"inf is not a size (accepted: {quantity.ACCEPTED})"),
        (float("nan"), f"nan is not a size (accepted: {quantity.ACCEPTED})"),
        (10**400, f"a very large number is not a size (accepted: {quantity.ACCEPTED})"),
        ("9" * 400, f"'{'9' * 57}...' is too large"),
        ("99999999999T", "'99999999999T' is too large"),
    ],
)
def test_what_is_no_size(written: object, problem: str) -> None:
    with pytest.raises(ValueError, match="size|unit|large") as error:
        quantity.size(written)
    assert str(error.value) == problem

import pytest

from osmo.spec.regex import repeats_in_repeats


@pytest.mark.parametrize(
    "text", ["(a+)+$", "(a*)*", "(?:x|a+)*b", "((a+){2})+", "(.*,)+x", "(a+?)*", r"(\w+-)*model", "(?=(a+)+)b"]
)
def test_a_repeat_in_a_repeat_is_seen(text: str) -> None:
    assert repeats_in_repeats(text)


@pytest.mark.parametrize(
    "text",
    ["", r".*\.json", r".*\.(bin|pt)$", "a+b+", "(ab)+", "(a{1,3})+", "(a+){1,3}", "[a+]+", r"(\d\d)*", "(?!x)."],
)
def test_what_ends_soon_is_not(text: str) -> None:
    assert not repeats_in_repeats(text)

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


# An expression, how deep its endless repeats lie in each other.
Regex = tuple[str, int]
LEAVES: st.SearchStrategy[Regex] = st.sampled_from([("a", 0), ("[b+*]", 0), (r"\+", 0), ("a{2,3}", 0)])


def _larger(inner: st.SearchStrategy[Regex]) -> st.SearchStrategy[Regex]:
    two = st.tuples(inner, inner)
    return st.one_of(
        inner.flatmap(lambda one: st.sampled_from("*+").map(lambda sign: (f"({one[0]}){sign}", one[1] + 1))),
        inner.map(lambda one: (f"(?:{one[0]})+?", one[1] + 1)),
        inner.map(lambda one: (f"({one[0]}){{1,4}}", one[1])),
        two.map(lambda both: (both[0][0] + both[1][0], max(both[0][1], both[1][1]))),
        two.map(lambda both: (f"(?:{both[0][0]}|{both[1][0]})", max(both[0][1], both[1][1]))),
        inner.map(lambda one: (f"(?={one[0]})", one[1])),
    )


@given(st.recursive(LEAVES, _larger, max_leaves=6))
def test_a_repeat_in_a_repeat_is_seen_however_it_is_wrapped(regex: Regex) -> None:
    text, depth = regex
    assert repeats_in_repeats(text) == (depth > 1)

import pytest

from osmo.errors import UsageError
from osmo.spec.given import given


def test_values_are_numbers_or_text() -> None:
    found = given(["a=1", "b=0.5", "c=x", "d=", "e=a=b", "f=true", "g=-3", "h=a b"], ["a=1", "i=2"])
    assert found.values == {
        "a": "1",
        "b": 0.5,
        "c": "x",
        "d": "",
        "e": "a=b",
        "f": "true",
        "g": -3,
        "h": "a b",
        "i": "2",
    }
    assert found.warnings == ()


def test_later_ones_win() -> None:
    assert given(["a=1", "a=2"], [], ["X=1", "X=2"]).values == {"a": 2}
    assert given([], [], ["X=1", "X=a=b", "Y="]).environment == {"X": "a=b", "Y": ""}


@pytest.mark.parametrize(
    ("word", "becomes"), [("v=1.10", "1.1"), ("v=007", "7"), ("v=1_000", "1000"), ("v=1e3", "1000.0"), ("v= 1", "1")]
)
def test_a_number_that_is_not_as_it_was_written_is_a_warning(word: str, becomes: str) -> None:
    assert given([word]).warnings == (f"--set {word} becomes {becomes}: --set-string keeps it",)
    assert given([], [word]).warnings == ()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (((["a.yaml"]), [], []), "--set: 'a.yaml' sets nothing: write NAME=VALUE; the spec stands before it"),
        ((["a-b=1"], [], []), "--set: 'a-b' cannot be the name of a template's variable"),
        (([], ["=1"], []), "--set-string: '' cannot be the name of a template's variable"),
        (([], [], ["A B=1"]), "--set-env: 'A B' cannot be the name of an environment variable"),
        (([], [], ["A"]), "--set-env: 'A' sets nothing: write NAME=VALUE; the spec stands before it"),
        ((["a=\udcff"], [], []), "--set: the value of 'a' is not UTF-8 text"),
    ],
)
def test_what_sets_nothing(words: tuple[list[str], list[str], list[str]], problem: str) -> None:
    with pytest.raises(UsageError) as error:
        given(*words)
    assert str(error.value) == problem


def test_a_token_of_osmo_s_own_is_left_alone() -> None:
    found = given(["output=1", "lr=1"], ["uuid=x"])
    assert found.values == {"lr": 1}
    assert found.warnings == (
        "--set output: {{output}} is one of osmo's own and stays what it is",
        "--set uuid: {{uuid}} is one of osmo's own and stays what it is",
    )


def test_labels() -> None:
    assert given(labels=["a=b", "example.com/c=d", "a=e"]).labels == {"a": "e", "example.com/c": "d"}
    for word, problem in (
        ("a", "'a' sets nothing"),
        ("a=", "'' cannot be a label"),
        ("-a=b", "'-a' cannot be the name"),
    ):
        with pytest.raises(UsageError, match=f"^--label: {problem}"):
            given(labels=[word])

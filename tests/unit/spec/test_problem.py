import datetime

import pytest

from osmo.spec.problem import kind, shown


@pytest.mark.parametrize(
    ("value", "text", "sort"),
    [
        (None, "null", "null"),
        (True, "true", "true"),
        (5, "5", "5"),
        (1.5, "1.5", "1.5"),
        pytest.param(10**5000, "a very large number", "a very large number", id="huge"),
        ("it's", '"it\'s"', "text"),
        ("x" * 100, f"'{'x' * 57}...'", "text"),
        ([1], "a list", "a list"),
        ({}, "a mapping", "a mapping"),
        (b"x", "binary data", "binary data"),
        (datetime.date(2024, 1, 2), "the date 2024-01-02", "the date 2024-01-02"),
        (object(), "something else", "something else"),
    ],
)
def test_how_a_value_is_shown(value: object, text: str, sort: str) -> None:
    assert shown(value) == text
    assert kind(value) == sort

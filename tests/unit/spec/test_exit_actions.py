import pytest

from osmo.spec import exit_actions
from osmo.spec.exit_actions import Action, Ranges


@pytest.mark.parametrize(
    ("written", "ranges"),
    [
        (0, ((0, 0),)),
        ("0", ((0, 0),)),
        ("1-9", ((1, 9),)),
        ("5-5", ((5, 5),)),
        ("0,16", ((0, 0), (16, 16))),
        (" 1 - 9 , 12 ", ((1, 9), (12, 12))),
        ([3, "5-7", "9,10"], ((3, 3), (5, 7), (9, 9), (10, 10))),
        ("2010,3000-3006", ((2010, 2010), (3000, 3006))),
    ],
)
def test_exit_codes_as_they_are_written(written: object, ranges: Ranges) -> None:
    assert exit_actions.ranges(written) == ranges


@pytest.mark.parametrize(
    "written", [True, None, -1, 1.5, "", "a", "1,", ",1", "1-", "-1", "1--2", "1-2-3", "9-1", [], [[1]], {}, "1" * 5000]
)
def test_what_is_no_exit_code(written: object) -> None:
    with pytest.raises(ValueError, match="exit code|ends before it begins"):
        exit_actions.ranges(written)


@pytest.mark.parametrize(
    ("actions", "problem"),
    [
        ({"FAIL": ((1, 9),), "COMPLETE": ((10, 12), (0, 0))}, None),
        ({"FAIL": ((1, 9),), "COMPLETE": ((9, 12),)}, "exit code 9 is in FAIL and COMPLETE: a code has one action"),
        ({"FAIL": ((5, 5),), "COMPLETE": ((1, 12),)}, "exit code 5 is in FAIL and COMPLETE: a code has one action"),
        ({"FAIL": ((1, 3), (3, 3))}, "exit code 3 is in FAIL twice: a code has one action"),
    ],
)
def test_two_actions_share_no_code(actions: dict[Action, Ranges], problem: str | None) -> None:
    assert exit_actions.overlap(actions) == problem

import json

from osmo.runner.lifecycle import Ages
from osmo.runner.moment import Moment
from osmo.runner.waiting import Waiting

DAY = "2026-01-01T{}+00:00"


def at(time: str, elapsed_s: float, boot: str = "one") -> Moment:
    return Moment(DAY.format(time), boot, elapsed_s)


def test_within_a_boot_the_wall_clock_may_be_set_as_one_likes() -> None:
    assert at("10:00:00", 100.0).until(at("09:00:00", 130.0)) == 30.0


def test_across_boots_only_the_wall_clock_is_there() -> None:
    assert at("10:00:00", 100.0).until(at("10:05:00", 3.0, "two")) == 300.0
    assert at("10:00:00", 100.0).until(at("09:00:00", 3.0, "two")) == 0.0


def test_a_group_runs_since_its_first_command_was_started() -> None:
    waiting = Waiting()
    waiting.runs("g", [DAY.format("10:00:05"), DAY.format("10:00:02")], at("10:00:10", 100.0))
    waiting.runs("g", [DAY.format("11:00:00")], at("11:00:00", 200.0))  # a later attempt
    assert waiting.ages(at("23:00:00", 130.0)) == {"g": Ages(running_s=38.0)}


def test_a_group_waits_since_it_began_to_and_no_longer_when_it_begins() -> None:
    waiting = Waiting()
    waiting.waits("g", at("10:00:00", 100.0))
    waiting.waits("g", at("10:00:10", 110.0))
    assert waiting.ages(at("10:00:20", 120.0)) == {"g": Ages(queued_s=20.0)}
    waiting.begins("g")
    assert waiting.ages(at("10:00:20", 120.0)) == {}


def test_the_next_supervisor_goes_on_counting() -> None:
    before = Waiting()
    before.runs("g", [], at("10:00:00", 100.0))
    before.waits("h", at("10:00:00", 100.0))
    before.is_to_wait("t", 40.0, at("10:00:00", 100.0))
    waiting = Waiting.read(json.loads(json.dumps(before.record())))
    now = at("10:00:30", 130.0)
    assert waiting.ages(now) == before.ages(now) == {"g": Ages(running_s=30.0), "h": Ages(queued_s=30.0)}
    assert waiting.left_s("t", now) == 10.0
    assert waiting.left_s("t", at("10:01:00", 160.0)) == 0.0
    assert waiting.left_s("another", now) == 0.0

from osmo.checkpoint.events import Begun, Event, Progressed
from osmo.checkpoint.meter import Flow, Meter
from support.clock import FakeClock


class Said:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.meter = Meter(self.events.append, self.clock)

    def send(self, count: int, after_s: float = 0.0) -> None:
        self.clock.advance(after_s)
        self.meter.sent(count)

    @property
    def percents(self) -> list[int]:
        return [100 * one.done // max(1, one.total) for one in self.events if isinstance(one, Progressed)]


def test_a_fast_upload_says_only_its_end() -> None:
    said = Said()
    said.meter.expect(100)
    said.meter.sending("/a")
    for _ in range(10):
        said.send(10, after_s=0.09)
    said.meter.stored()
    said.meter.end(complete=True)
    assert [type(one) for one in said.events] == [Begun, Progressed]
    last = said.events[-1]
    assert isinstance(last, Progressed)
    assert (last.done, last.total, last.path) == (100, 100, "/a")


def test_a_slow_upload_says_every_tenth() -> None:
    said = Said()
    said.meter.expect(1000)
    said.meter.sending("/a")
    for _ in range(100):
        said.send(10, after_s=1.2)
    said.meter.stored()
    said.meter.end(complete=True)
    assert len(said.percents) <= 31
    assert {10, 20, 30, 40, 50, 60, 70, 80, 90, 100} <= set(said.percents)


def test_a_very_slow_upload_says_something_every_five_seconds() -> None:
    said = Said()
    said.meter.expect(10**6)
    said.meter.sending("/a")
    for _ in range(20):
        said.send(1, after_s=1.0)
    assert len(said.percents) == 4


def test_many_quick_pieces_are_no_flood() -> None:
    said = Said()
    said.meter.expect(10**4)
    said.meter.sending("/a")
    said.clock.advance(2)
    for _ in range(9_999):
        said.meter.sent(1)
    assert said.percents == [10, 20, 30, 40, 50, 60, 70, 80, 90]


def test_a_hundred_percent_is_not_said_before_all_is_stored() -> None:
    said = Said()
    said.meter.expect(10)
    said.meter.sending("/a")
    said.send(10, after_s=60)
    assert said.percents == []
    said.send(-10)
    said.meter.end(complete=True)
    assert said.percents == []


def test_what_has_to_be_sent_again_does_not_count_twice() -> None:
    said = Said()
    said.meter.expect(10)
    said.meter.sending("/a")
    said.send(6)
    said.send(-6)
    said.send(10)
    said.meter.stored()
    said.meter.end(complete=True)
    assert (said.meter.size, said.percents) == (10, [100])


def test_nothing_is_said_of_a_cycle_that_sends_nothing() -> None:
    said = Said()
    said.meter.expect(10)
    said.meter.sending("/a")
    said.meter.expect(-10)
    said.meter.end(complete=True)
    assert said.events == []


def test_an_empty_file_counts_as_sent() -> None:
    said = Said()
    said.meter.sending("/a")
    said.meter.sent(0)
    said.meter.stored()
    said.meter.end(complete=True)
    assert said.events == [Begun(), Progressed(0, 0, 0.0, "/a")]


def test_the_flow_is_news_only_where_it_gets_further() -> None:
    clock = FakeClock()
    flow = Flow(clock)
    start = flow.at
    clock.advance(10)
    flow.reached("a", 5)
    assert flow.at == start + 10
    clock.advance(10)
    flow.reached("a", 5)
    flow.reached("a", 3)
    assert flow.at == start + 10
    flow.reached("a", 6)
    assert flow.at == start + 20
    clock.advance(10)
    flow.stored("a")
    assert flow.at == start + 30
    clock.advance(10)
    flow.reached("a", 1)
    assert flow.at == start + 40

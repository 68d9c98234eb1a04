from osmo.store.trust import Trust
from support.clock import FakeClock

BUCKET = ("https://s3.example", "b")


def test_a_bucket_is_trusted_until_it_fails_and_again_an_hour_later() -> None:
    clock = FakeClock()
    trust = Trust(clock)
    assert trust.has(BUCKET)
    trust.lost(BUCKET)
    assert not trust.has(BUCKET)
    assert trust.has(("https://s3.example", "other"))
    clock.advance(3599)
    assert not trust.has(BUCKET)
    clock.advance(1)
    assert trust.has(BUCKET)


def test_no_answer_twice_in_a_row_is_enough() -> None:
    trust = Trust(FakeClock())
    trust.shaken(BUCKET)
    trust.kept(BUCKET)
    trust.shaken(BUCKET)
    assert trust.has(BUCKET)
    trust.shaken(BUCKET)
    assert not trust.has(BUCKET)

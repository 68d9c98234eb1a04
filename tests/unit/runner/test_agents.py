from osmo.runner.agents import Agents, read

SOON, LONG = 5.0, 100.0


def died(agents: Agents, after_s: float) -> Agents:
    """The same after one more start and death."""
    now = agents.started_at + 1000.0
    return agents.started(now).seen(alive=False, now=now + after_s, moment=f"at {now + after_s:g}")


def test_deaths_in_a_row_make_it_ailing() -> None:
    agents = Agents()
    for number in (1, 2, 3):
        assert not agents.ailing
        agents = died(agents, SOON)
        assert (agents.deaths, agents.in_a_row, agents.starts) == (number, number, number)
    assert agents.ailing
    assert agents.died == "at 3005"


def test_a_death_is_counted_once() -> None:
    agents = died(Agents(), SOON)
    assert agents.seen(alive=False, now=2000.0, moment="later") == agents


def test_one_that_lived_long_makes_the_next_death_the_first_again() -> None:
    agents = died(died(died(Agents(), SOON), SOON), SOON)
    assert (died(agents, LONG).in_a_row, died(agents, LONG).starts, died(agents, LONG).deaths) == (1, 1, 4)
    lives = agents.started(5000.0).seen(alive=True, now=5000.0 + LONG, moment="")
    assert (lives.in_a_row, lives.starts, lives.deaths, lives.ailing) == (0, 1, 3, False)
    assert lives.seen(alive=True, now=5000.0 + LONG + 1, moment="") == lives


def test_one_that_was_never_started_here_is_not_counted() -> None:
    assert Agents().seen(alive=False, now=1.0, moment="now") == Agents()


def test_the_next_supervisor_knows_of_them() -> None:
    agents = died(died(Agents(), SOON), SOON)
    known = read({"agents": {"t": agents.record()}}, "t")
    assert (known.deaths, known.in_a_row, known.died) == (2, 2, agents.died)
    assert read({"agents": {}}, "t") == read({}, "t") == read(None, "t") == Agents()

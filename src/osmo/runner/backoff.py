"""How long a task waits before it is tried again."""

_LONGEST_S = 300.0


def wait_s(attempt: int, first_s: float, chance: float) -> float:
    """Before attempt number `attempt` (1 is the first retry); twice as long each time, up to five minutes or `first_s`.

    chance: 0 to 1, at random, for half of the wait: tasks that failed together do not come back together."""
    full = min(max(_LONGEST_S, first_s), first_s * 2.0 ** min(attempt - 1, 30))
    return full * (0.5 + 0.5 * chance)

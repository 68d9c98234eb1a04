import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from osmo.checkpoint.budget import ByteBudget, suitable_total

MIB = 1024 * 1024


def test_no_more_than_the_total_is_ever_taken_and_everybody_gets_a_turn() -> None:
    budget = ByteBudget(100)
    lock, held, most = threading.Lock(), [0], [0]

    def take(count: int) -> int:
        with budget.taken(count):
            with lock:
                held[0] += min(count, 100)
                most[0] = max(most[0], held[0])
            with lock:
                held[0] -= min(count, 100)
        return count

    counts = [count % 130 for count in range(0, 13 * 400, 13)]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(take, counts, timeout=10)) == counts
    assert most[0] <= 100


def test_what_an_error_held_is_given_back() -> None:
    budget = ByteBudget(10)
    with pytest.raises(KeyError), budget.taken(10):
        raise KeyError
    with budget.taken(10):
        pass


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("max\n", 96 * MIB),
        (f"{100 * 1024 * MIB}\n", 96 * MIB),
        (f"{500 * MIB}\n", 50 * MIB),
        (f"{50 * MIB}\n", 16 * MIB),
        (None, 96 * MIB),
    ],
)
def test_the_budget_is_a_tenth_of_what_the_control_group_may_use(tmp_path: Path, text: str | None, want: int) -> None:
    file = tmp_path / "memory.max"
    if text is not None:
        file.write_text(text)
    assert suitable_total(file) == want

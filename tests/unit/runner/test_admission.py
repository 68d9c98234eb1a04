import json

import pytest

from osmo.rundir.identity import Process
from osmo.rundir.resources import Capacity, Resources
from osmo.runner.admission import Claim, admit

MACHINE = Capacity(4.0, 1000, ("0", "1", "GPU-2"))
ME = Process("host", "boot", 1, 1)


def claim(name: str, *wanted: Resources, has: list[str] | None = None, since: str = "now") -> Claim:
    asked = {f"t{number}": one for number, one in enumerate(wanted)}
    devices = None if has is None else {"t0": tuple(has)}
    return Claim(name, "g", ME, since, asked, devices)


HAS_A_GPU = claim("has-1", Resources(cpu=1, gpu=1), has=["1"])
HAS_ALL_CORES = claim("has-2", Resources(cpu=4), has=[])


@pytest.mark.parametrize(
    ("others", "wanted", "want"),
    [
        ([], [Resources(gpu=2)], {"t0": ("0", "1")}),
        ([HAS_A_GPU], [Resources(gpu=2)], {"t0": ("0", "GPU-2")}),
        ([HAS_A_GPU], [Resources(gpu=1), Resources(gpu=1)], {"t0": ("0",), "t1": ("GPU-2",)}),
        ([HAS_A_GPU], [Resources(gpu=3)], "waits for 3 gpu; free: 3 cpu, 1000 B of memory, 2 gpu"),
        ([HAS_A_GPU], [Resources(cpu=3.5)], "waits for 3.5 cpu; free: 3 cpu, 1000 B of memory, 2 gpu"),
        ([HAS_ALL_CORES], [Resources(memory=1000)], {"t0": ()}),
        ([HAS_ALL_CORES, HAS_A_GPU], [Resources(memory=1000)], {"t0": ()}),  # more was taken than there is
        ([HAS_ALL_CORES], [Resources(cpu=1)], "waits for 1 cpu; free: 1000 B of memory, 3 gpu"),
    ],
)
def test_who_asks_gets_what_is_free(others: list[Claim], wanted: list[Resources], want: object) -> None:
    assert admit(MACHINE, others, claim("mine", *wanted)) == want


@pytest.mark.parametrize(
    ("wanted", "since", "may"),
    [
        (Resources(cpu=1), "2", False),
        (Resources(cpu=1), "0", True),  # it has waited longer still
        (Resources(memory=10), "2", True),  # it takes nothing that the other waits for
    ],
)
def test_who_has_waited_longer_comes_first(wanted: Resources, since: str, may: bool) -> None:
    others = [HAS_A_GPU, claim("waits", Resources(cpu=4), since="1")]
    answer = admit(MACHINE, others, claim("mine", wanted, since=since))
    assert (answer == {"t0": ()}) is may
    if not may:
        assert answer == "waits for 1 cpu: another run has waited longer"


def test_a_claim_is_read_as_it_was_written() -> None:
    for one in (HAS_A_GPU, claim("waits", Resources(1.5, 2, 3))):
        record = json.loads(json.dumps(one.record()))
        assert Claim.read(record) == one
        assert Claim.read(record).record() == record

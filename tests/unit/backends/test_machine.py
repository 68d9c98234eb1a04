import pytest

from osmo.backends.machine import capacity, cpus_of, memory_of, names


@pytest.mark.parametrize(("text", "want"), [("max 100000", None), ("150000 100000", 1.5), ("max", None)])
def test_cores_of_a_cgroup(text: str, want: float | None) -> None:
    assert cpus_of(text) == want


@pytest.mark.parametrize(("text", "want"), [("max\n", None), ("1073741824\n", 2**30)])
def test_memory_of_a_cgroup(text: str, want: int | None) -> None:
    assert memory_of(text) == want


@pytest.mark.parametrize(("text", "want"), [("0,1", ("0", "1")), (" 2 , 2,", ("2",)), ("", ()), ("GPU-a", ("GPU-a",))])
def test_names_of_devices(text: str, want: tuple[str, ...]) -> None:
    assert names(text) == want


def test_this_machine_has_something() -> None:
    there = capacity({}, "", ask_for_gpus=False)
    assert there.cpu > 0
    assert there.memory > 2**20
    assert there.gpus == ()


def test_devices_are_those_that_are_set_or_that_tasks_may_see() -> None:
    assert capacity({"CUDA_VISIBLE_DEVICES": "3,4"}, "", ask_for_gpus=True).gpus == ("3", "4")
    assert capacity({"CUDA_VISIBLE_DEVICES": ""}, "", ask_for_gpus=True).gpus == ()
    assert capacity({"CUDA_VISIBLE_DEVICES": "3"}, "0,1", ask_for_gpus=True).gpus == ("0", "1")
    assert capacity({"PATH": "/nowhere"}, "", ask_for_gpus=True).gpus == ()

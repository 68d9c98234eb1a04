import os
from dataclasses import replace

import pytest

from osmo.rundir.identity import Process, boot, group_alive, rebooted_since
from osmo.rundir.records import Record

HERE = Process.of(os.getpid())


def test_a_process_comes_back_from_its_record() -> None:
    assert Process.read(HERE.record()) == HERE


@pytest.mark.parametrize(
    ("process", "alive"),
    [
        (HERE, True),
        (replace(HERE, started=HERE.started + 1), False),
        (replace(HERE, boot="another"), False),
        (replace(HERE, host="elsewhere"), False),
        (replace(HERE, pid=2**22 + 1), False),
    ],
)
@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_only_the_very_process_is_alive(process: Process, alive: bool) -> None:
    assert process.alive == alive


def test_a_process_of_another_boot_ran_here() -> None:
    assert replace(HERE, boot="another").is_here
    assert not replace(HERE, host="elsewhere").is_here


@pytest.mark.parametrize(
    ("record", "want"),
    [
        (HERE.record(), False),
        (HERE.record() | {"boot": "another"}, True),
        (HERE.record() | {"boot": "another", "host": "elsewhere"}, False),
        (HERE.record() | {"boot": ""}, False),
        ({}, False),
    ],
)
@pytest.mark.skipif(not boot(), reason="this system does not tell its boots apart")
def test_a_reboot_shows_in_a_record(record: Record, want: bool) -> None:
    assert rebooted_since(record) == want


def test_a_group_is_alive_while_a_process_of_it_is() -> None:
    assert group_alive(os.getpgid(0))
    assert not group_alive(2**22 + 1)

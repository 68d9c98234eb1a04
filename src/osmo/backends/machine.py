"""What this machine has for tasks: cores, memory, devices; never more than its cgroup lets us have."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from osmo.rundir.resources import Capacity

_ASK_DRIVER_S = 20.0
_CGROUP = Path("/sys/fs/cgroup")


def capacity(environ: Mapping[str, str], gpus: str, *, ask_for_gpus: bool) -> Capacity:
    """environ: what tasks inherit; of devices that it hides from them, they get none. gpus: the devices' names with
    commas between them, empty for those that the driver knows. ask_for_gpus: whether anybody wants one, for to ask the
    driver takes a while."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    devices = _devices(environ, gpus) if ask_for_gpus else ()
    group = _own_cgroup()
    return Capacity(_least(cores, _cpus(group)), int(_least(memory, _memory(group))), devices)


def names(text: str) -> tuple[str, ...]:
    """`0,1` as a tuple, each name once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def cpus_of(text: str) -> float | None:
    """The cores that `cpu.max` of a cgroup allows: `150000 100000` is 1.5; None: all."""
    quota, _, period = text.partition(" ")
    return None if quota == "max" or not period else int(quota) / int(period)


def memory_of(text: str) -> int | None:
    """The bytes that `memory.max` of a cgroup allows; None: all."""
    return None if text.strip() == "max" else int(text)


def _devices(environ: Mapping[str, str], gpus: str) -> tuple[str, ...]:
    if gpus:
        return names(gpus)
    if "CUDA_VISIBLE_DEVICES" in environ:
        return names(environ["CUDA_VISIBLE_DEVICES"])
    program = shutil.which("nvidia-smi", path=environ.get("PATH"))
    if program is None:
        return ()
    try:
        asked = subprocess.run(
            [program, "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_ASK_DRIVER_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(asked.stdout.split())


def _own_cgroup() -> list[Path]:
    """The folders of our cgroup (version 2) and of those around it: each may set a limit."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                place = _CGROUP / line[3:].lstrip("/")
                return [place, *(above for above in place.parents if above.is_relative_to(_CGROUP))]
    return [_CGROUP]


def _cpus(group: list[Path]) -> list[float]:
    return [found for text in _texts(group, "cpu.max") if (found := cpus_of(text)) is not None]


def _memory(group: list[Path]) -> list[float]:
    return [found for text in _texts(group, "memory.max") if (found := memory_of(text)) is not None]


def _texts(group: list[Path], name: str) -> list[str]:
    found = []
    for place in group:
        with suppress(OSError):
            found.append((place / name).read_text())
    return found


def _least(own: float, limits: list[float]) -> float:
    return min([own, *limits])

"""The folders that are stored, and what happens to them. The same for every tool."""

import os
import random
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sizes:
    """files: of the tree of small files. large: bytes of the one large file. middle: how many files of 16 MiB."""

    files: int = 10_000
    large: int = 1024 * MIB
    middle: int = 64
    many: int = 1_000_000
    work_s: float = 12.0

    @property
    def some(self) -> int:
        """How many files are appended or renamed at once."""
        return self.files // 10


QUICK = Sizes(files=1_000, large=128 * MIB, middle=8, many=50_000, work_s=4.0)
_IN_A_FOLDER = 100
_SMALLEST, _LARGEST = 1024, 8 * 1024
_MIDDLE = 16 * MIB


def small(folder: Path, count: int, *, prefix: str = "part", seed: int = 0) -> None:
    """Files of 1 to 8 KiB, a hundred in each of the folders beneath."""
    dice = random.Random(f"{prefix} {seed}")
    for number in range(count):
        place = folder / f"{prefix}-{number // _IN_A_FOLDER:04}"
        if number % _IN_A_FOLDER == 0:
            place.mkdir(parents=True)
        (place / f"{number:06}.bin").write_bytes(dice.randbytes(dice.randint(_SMALLEST, _LARGEST)))


def empty(folder: Path, count: int) -> None:
    """Files without content, a thousand in each of the folders beneath."""
    for number in range(count):
        place = folder / f"{number // 1000:04}"
        if number % 1000 == 0:
            place.mkdir(parents=True)
        os.close(os.open(place / f"{number:07}", os.O_CREAT | os.O_WRONLY, 0o644))


def one_large(folder: Path, size: int) -> None:
    folder.mkdir(parents=True)
    fill(folder / "large.pt", size)


def several(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        fill(folder / f"shard-{number:03}.pt", _MIDDLE, seed=number)


def fill(path: Path, size: int, seed: int = 0) -> None:
    """Bytes that no tool can compress or find twice."""
    dice = random.Random(f"{path.name} {seed}")
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(dice.randbytes(MIB))


def change_one_in_a_hundred(folder: Path, round_: int) -> None:
    """They become longer: a tool that compares sizes and times sees it, too."""
    paths = sorted(folder.glob("part-*/*.bin"))
    for path in paths[round_ % 100 :: 100]:
        path.write_bytes(random.Random(f"{path.name} {round_}").randbytes(path.stat().st_size + 1))


def append_files(folder: Path, count: int, round_: int) -> None:
    small(folder, count, prefix=f"more{round_}", seed=round_)


def rename(folder: Path) -> None:
    """A whole folder gets another name."""
    found = next(folder.glob("whole*"))
    found.rename(folder / f"whole-{int(found.name.partition('-')[2] or 0) + 1}")


def append(path: Path, size: int, round_: int) -> None:
    with path.open("ab") as file:
        file.write(random.Random(f"append {round_}").randbytes(size))


def plain_files(folder: Path) -> dict[str, int]:
    """Every file beneath a folder and its size, but for what osmo keeps beside the plain files."""
    found = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".osmo"]
        for name in names:
            path = os.path.join(place, name)
            found[os.path.relpath(path, folder)] = os.path.getsize(path)
    return found

"""What tasks want to have to themselves, and what a machine has."""

from dataclasses import dataclass

_UNITS = ("B", "Ki", "Mi", "Gi", "Ti")


@dataclass(frozen=True, slots=True)
class Resources:
    """Cores, bytes of memory, devices. 0: nothing is asked for, so nothing is waited for."""

    cpu: float = 0.0
    memory: int = 0
    gpu: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(self.cpu + other.cpu, self.memory + other.memory, self.gpu + other.gpu)

    def __bool__(self) -> bool:
        return self != Resources()

    def fits(self, free: "Resources") -> bool:
        """Whether what is asked for is there. Less than nothing being free keeps nobody who asks for none of it."""
        return all(
            not wanted or wanted <= there
            for wanted, there in ((self.cpu, free.cpu), (self.memory, free.memory), (self.gpu, free.gpu))
        )

    def without(self, other: "Resources") -> "Resources":
        """What is left of it."""
        return Resources(self.cpu - other.cpu, self.memory - other.memory, self.gpu - other.gpu)

    def __str__(self) -> str:
        words = []
        if self.cpu:
            words.append(f"{self.cpu:g} cpu")
        if self.memory:
            words.append(f"{_size(self.memory)} of memory")
        if self.gpu:
            words.append(f"{self.gpu} gpu")
        return ", ".join(words) or "nothing"


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a machine has for all tasks together. gpus: the names that its devices have to CUDA."""

    cpu: float
    memory: int
    gpus: tuple[str, ...] = ()

    @property
    def all(self) -> Resources:
        return Resources(self.cpu, self.memory, len(self.gpus))


def _size(size: float) -> str:
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.4g} {_UNITS[unit]}"

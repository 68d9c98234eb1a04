"""When the next cycle is due. Pure: every moment is a number of monotonic seconds."""

from dataclasses import dataclass, replace

PAUSES_S = (0.2, 0.5, 1.5)  # before a request that failed is made again within its cycle
_FIRST_RETRY_S = 5.0
_LONGEST_RETRY_S = 300.0
_LOOK_AGAIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """One entry's clock: `due` is when its next cycle begins."""

    frequency_s: float
    due: float
    failures: int = 0

    @classmethod
    def starting(cls, frequency_s: float, now: float) -> "Schedule":
        """The first cycle comes `frequency_s` after the command starts."""
        return cls(frequency_s, now + frequency_s)

    def after_end(self, now: float) -> "Schedule":
        """A cycle ended well at `now`: the wait between one ending and the next beginning starts."""
        return replace(self, due=now + self.frequency_s, failures=0)

    def after_failure(self, now: float, jitter: float) -> "Schedule":
        """Tried again after 5 s, 10 s … 5 min, never later than `frequency_s`. jitter: 0 to 1, takes a fifth off."""
        failures = self.failures + 1
        wait = min(_FIRST_RETRY_S * 2 ** min(failures - 1, 10), _LONGEST_RETRY_S, self.frequency_s)
        return replace(self, due=now + wait * (1 - 0.2 * jitter), failures=failures)


def look_again_s(frequency_s: float) -> float:
    """How soon files that were being written are looked at again."""
    return min(_LOOK_AGAIN_S, frequency_s)

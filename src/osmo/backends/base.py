"""What the supervisor relies on in a backend."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from osmo.rundir.paths import AttemptDir


class Backend(Protocol):
    """An engine that runs agents. It may run a lost one twice: agents see to it that commands do not."""

    def start(self, attempts: Sequence[AttemptDir]) -> None:
        """Start an agent for each. Raises OSError if this machine cannot."""

    def alive(self, attempts: Sequence[AttemptDir]) -> Mapping[AttemptDir, bool]:
        """Which of them have an agent that runs, or is about to."""

    def stop(self, attempts: Sequence[AttemptDir]) -> None:
        """Ask their agents to end as if the machine were taken away: command, last checkpoint, all.

        One that is not ready to hear it yet is not asked; asking twice does no harm.
        """

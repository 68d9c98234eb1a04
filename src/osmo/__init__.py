"""osmo: a workflow runner whose tasks' data survives."""

from typing import Final

__version__: Final = "0.1.0"

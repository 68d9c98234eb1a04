"""A task that changes a tree in generations: each file names its own. Run by path, with nothing but Python.

argv: the folder, a token that marks this process for whoever looks, the exit code. It notes each of its starts in the
file `starts` beside the folder, prints a numbered line a tick, and ends when the file `stop` is there.
"""

import os
import sys
import time
from pathlib import Path

SLOTS = 12
TICK_S = 0.05


def write(folder: Path, slot: int, generation: int) -> None:
    """As most frameworks do: under another name, then renamed."""
    temporary = folder.parent / f"temporary-{slot}"
    temporary.write_bytes(f"generation {generation} of slot {slot}\n".encode() * (100 + 400 * slot))
    place = folder / f"shard-{slot % 3}"
    place.mkdir(exist_ok=True)
    temporary.replace(place / f"slot-{slot:02}")


def main() -> None:
    folder, code = Path(sys.argv[1]), int(sys.argv[3])
    with (folder.parent / "starts").open("ab", buffering=0) as starts:
        starts.write(f"{os.getpid()} {time.monotonic()}\n".encode())
    folder.mkdir(exist_ok=True)
    generation = 0
    while not (folder.parent / "stop").exists():
        generation += 1
        write(folder, generation % SLOTS, generation)
        if generation % 40 == 0:
            (folder / "shard-0" / "slot-00").unlink(missing_ok=True)
        print("tick", generation, f"{time.monotonic():.3f}", flush=True)
        time.sleep(TICK_S)
    for slot in range(0, SLOTS, 4):
        write(folder, slot, generation + 1)
    print("last", generation, flush=True)
    sys.exit(code)


if __name__ == "__main__":
    main()

"""A training loop that works on a processor or on a disk and saves its state. Run by path, with nothing but Python.

argv: `cpu` or `disk`, a folder, how many steps, after how many the state is saved, where to say what it took: the
seconds it ran and the processor time it used itself, as JSON. Whatever goes on beside it, it does the same work.
"""

import json
import os
import random
import sys
import time
import zlib
from pathlib import Path

MIB = 1024 * 1024
STATE = 32 * MIB
_STEP = 4 * MIB  # what is written in a step of the loop that works on a disk


def main() -> None:
    what, folder, steps, every, told = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    batch = random.Random(1).randbytes(MIB // 2)
    state = random.Random(2).randbytes(STATE)
    began, cpu = time.monotonic(), time.process_time()
    for step in range(1, steps + 1):
        if what == "cpu":
            zlib.compress(batch, 6)
        else:
            with (folder.parent / "scratch").open("wb") as file:
                file.write(state[:_STEP])
                file.flush()
                os.fsync(file.fileno())
        if step % every == 0:
            save(folder / "state.pt", step, state)
    done = {"seconds": time.monotonic() - began, "cpu_s": time.process_time() - cpu}
    Path(told).write_text(json.dumps(done))


def save(path: Path, step: int, state: bytes) -> None:
    """Under another name, then renamed. No two steps are alike."""
    temporary = path.with_name(".state.new")
    with temporary.open("wb") as file:
        file.write(step.to_bytes(8, "little"))
        file.write(state)
    temporary.replace(path)


if __name__ == "__main__":
    main()

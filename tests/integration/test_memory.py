import subprocess
import sys

import pytest

_SENT = """
import os, threading
from osmo.agent import memory
memory.give_back()
zero, done, end = os.open("/dev/zero", os.O_RDONLY), threading.Barrier(17), threading.Barrier(17)

def send():
    for _ in range(6):
        body = os.pread(zero, 16 << 20, 0)
        record = bytes(2000)
        del body
    done.wait()
    end.wait()

threads = [threading.Thread(target=send) for _ in range(16)]
for thread in threads:
    thread.start()
done.wait()
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")))
end.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is set")
def test_what_many_threads_have_sent_takes_no_memory_any_more() -> None:
    done = subprocess.run([sys.executable, "-c", _SENT], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) < 100 * 1024  # KiB; 16 MiB a thread if each of them keeps one

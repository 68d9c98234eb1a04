"""What every test relies on."""

import signal

from hypothesis import settings

# How hard hypothesis tries: quickly by default and in CI, `--hypothesis-profile thorough` for a night.
# No deadline of a single example: a shared machine may stop for a second. The same examples each time in CI.
settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=20_000, deadline=None)
settings.load_profile("quick")

# What a shell starts in the background ignores these, and so would every command that a test starts.
for _signum in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_signum) is signal.SIG_IGN:
        signal.signal(_signum, signal.default_int_handler if _signum is signal.SIGINT else signal.SIG_DFL)

"""How hard hypothesis tries: quickly by default and in CI, `--hypothesis-profile thorough` for a night."""

from hypothesis import settings

# No deadline of a single example: a shared machine may stop for a second. The same examples each time in CI.
settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=20_000, deadline=None)
settings.load_profile("quick")

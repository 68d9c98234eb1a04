"""What a test needs of the machine: without it the test is skipped by name, but with CI=true it fails."""

import os
import shutil
from typing import NoReturn

import pytest


def need_program(name: str) -> None:
    """Go on only if there is such a program."""
    if shutil.which(name) is None:
        missing(f"{name} is not installed")


def missing(what: str) -> NoReturn:
    """The machine lacks something."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI has to have it: {what}")
    pytest.skip(what)

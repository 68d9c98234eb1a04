"""Rendering a template in a process of its own, which can be stopped whatever it does."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from osmo.spec.template import Rendered, TemplateProblem

WALL_S: Final = 60.0


def render(text: str, values: Mapping[str, object]) -> Rendered:
    """The template with its variables replaced, within a second of CPU time and 256 MiB. Raises `TemplateProblem`."""
    request = json.dumps({"text": text, "values": values}, default=str)
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", "osmo.spec.render"],
            input=request,
            capture_output=True,
            timeout=WALL_S,
            check=False,
            encoding="utf-8",
        )
    except subprocess.TimeoutExpired:
        raise TemplateProblem(f"the template was not rendered within {WALL_S:g} s") from None
    if child.returncode == -signal.SIGPROF:
        raise TemplateProblem("the template takes more than a second of CPU time: is there a loop without an end?")
    try:
        answer = json.loads(child.stdout)
    except ValueError:
        said = child.stderr.strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
        why = (
            "the template needs too much memory"
            if "MemoryError" in said[0]
            else f"the template could not be rendered: {said[0]}"
        )
        raise TemplateProblem(why) from None
    if "problem" in answer:
        raise TemplateProblem(answer["problem"], answer["line"])
    return Rendered(answer["text"], frozenset(answer["used"]))

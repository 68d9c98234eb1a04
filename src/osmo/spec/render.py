"""The child process that renders a template: Jinja in its sandbox, and bounds that no template gets around.

It is run as `python -m osmo.spec.render` by `osmo.spec.bounded`: JSON on its standard input and output. Nothing else
imports Jinja.
"""

import json
import re
import resource
import signal
import sys
import traceback
from collections.abc import Mapping
from typing import Final

import jinja2.debug  # noqa: F401  # jinja2 imports it at the first error, when no file can be opened any more
from jinja2 import StrictUndefined, Template, meta
from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from osmo.spec import tokens
from osmo.spec.template import LARGEST, PROTECTED, Rendered, TemplateProblem

CPU_S: Final = 1.0
MEMORY: Final = 256 * 1024 * 1024

_FILE: Final = "<template>"


def render(text: str, values: Mapping[str, object]) -> Rendered:
    """The template with its variables replaced. Our own tokens stay as they are. Raises `TemplateProblem`."""
    mark = _mark(text)
    found = PROTECTED.findall(text)
    numbers = iter(range(len(found)))
    protected = PROTECTED.sub(lambda _: f"{mark}{next(numbers)}E", text)
    own = {name: f"{{{{{name}}}}}" for name in tokens.PLAIN}
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    try:
        used = meta.find_undeclared_variables(environment.parse(protected))
        rendered = _generated(environment.from_string(protected), {**own, **values})
    except TemplateProblem:
        raise
    except TemplateSyntaxError as error:
        raise TemplateProblem(_syntax(error.message or ""), error.lineno) from error
    except Exception as error:  # whatever a template can make Python raise
        raise TemplateProblem(_words(error), _line(error)) from error
    try:
        rendered.encode()
    except UnicodeEncodeError:
        raise TemplateProblem("the template makes what is not Unicode text: half of a surrogate pair") from None
    back = re.sub(f"{mark}([0-9]+)E", lambda match: found[int(match[1])], rendered)
    return Rendered(back, frozenset(used - own.keys()))


def _mark(text: str) -> str:
    """Letters that are not in the text: they survive in a template wherever they stand."""
    mark = "OSMOTOKEN"
    while mark in text:
        mark += "X"
    return mark


def _generated(template: Template, values: Mapping[str, object]) -> str:
    pieces, size = [], 0
    for piece in template.generate(values):
        size += len(piece)
        if size > LARGEST:
            raise TemplateProblem("the template makes more than 10 MiB: that is no workflow spec")
        pieces.append(piece)
    return "".join(pieces)


def _syntax(message: str) -> str:
    """Jinja's complaint, and what a person can do about the commonest of them: a shell's `${#list[@]}`."""
    if "Missing end of comment tag" in message:
        return "{# begins a comment of the template, which does not end: {% raw %} and {% endraw %} around it keep it"
    if "got ':'" in message:
        return f"not a valid template: {message} (with a colon there are {{{{input:...}}}} and {{{{host:...}}}} only)"
    return f"not a valid template: {message.partition(' Jinja was looking')[0].rstrip('.')}"


def _words(error: Exception) -> str:
    text = str(error).partition("\n")[0][:200]
    if isinstance(error, UndefinedError):
        return text if " has no " in text else text.replace("is undefined", "is not defined")
    if isinstance(error, SecurityError):
        attribute = re.fullmatch(r"access to attribute ('.*' of '.*') object is unsafe\.", text)
        return f"a template may not use {attribute[1] if attribute else text}"
    if isinstance(error, MemoryError):
        return "the template needs too much memory"
    if isinstance(error, RecursionError):
        return "the template calls itself without an end, or is nested too deeply"
    if isinstance(error, OverflowError) and "Range too big" in text:
        return "a template may not use a range() of more than 100000 numbers"
    if "no loader for this environment" in text:
        return "a template may not include, import or extend others"
    if isinstance(error, TemplateError):
        return f"not a valid template: {text}"
    return f"the template fails: {text}" if text else f"the template fails: {type(error).__name__}"


def _line(error: Exception) -> int | None:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == _FILE]
    return lines[-1] if lines else None


def _bound() -> None:
    """From here on this process has so much time and memory, and opens no file. A signal, not an exception, ends it: an
    operation in C runs to its end before Python sees an exception."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    for name, most in ((resource.RLIMIT_AS, _used() + MEMORY), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, 3)):
        _, hard = resource.getrlimit(name)
        if hard == resource.RLIM_INFINITY or most < hard:
            try:
                resource.setrlimit(name, (most, most))
            except (OSError, ValueError):  # macOS knows no bound of memory
                continue


def _used() -> int:
    """Bytes of address space."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def main() -> None:
    request = json.load(sys.stdin)
    render("{% set warm = lipsum(1) %}{{ 'up' }}", {})  # Python reads some modules when they are needed first
    _bound()
    answer: dict[str, object]
    try:
        rendered = render(request["text"], request["values"])
        answer = {"text": rendered.text, "used": sorted(rendered.used)}
    except TemplateProblem as problem:
        answer = {"problem": str(problem), "line": problem.line}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()

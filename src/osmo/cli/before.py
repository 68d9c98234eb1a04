"""What is settled before a command is started: how patient its agent is, and whether its stores say no."""

import sys
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor

from osmo.agent.config import Limits
from osmo.cli.settings import Settings
from osmo.errors import StoreError, Unavailable, UsageError
from osmo.store.limit import rate
from osmo.store.open import probe

_PROBE_S = 5.0


def limits(settings: Settings) -> Limits:
    """Raises UsageError for a setting that is none."""
    return Limits(
        final_timeout_s=settings.seconds("final_timeout"),
        grace_s=settings.seconds("grace"),
        settle_s=settings.seconds("settle"),
        spot=_spot(settings),
        live=_live(settings),
        restore_timeout_s=settings.seconds("restore_timeout"),
        max_bandwidth=_max_bandwidth(settings),
    )


def _max_bandwidth(settings: Settings) -> int:
    """Raises UsageError if it is none."""
    value = settings.values["max_bandwidth"]
    try:
        return rate(value.text) if value.text else 0
    except ValueError as error:
        raise UsageError(f"{value.source}: max_bandwidth: {error}") from error


def _live(settings: Settings) -> tuple[str, ...]:
    """Raises UsageError for a pattern that could not match the last part of a name."""
    value = settings.values["live"]
    patterns = tuple(value.text.replace(",", " ").split())
    if wrong := [pattern for pattern in patterns if "/" in pattern]:
        raise UsageError(f"{value.source}: live: {wrong[0]!r} has a slash; it is matched with the last part of a name")
    return patterns


def ask_stores(
    written: set[str],
    environ: Mapping[str, str],
    what: str,
    *,
    read: AbstractSet[str] = frozenset(),
    restores: bool = False,
) -> None:
    """Ask each store once, before `what` is started. Raises UsageError, one line a url, if one says no; warns of those
    that say nothing. written, read: urls, by what is to be done there. restores: something is to be restored first."""

    def ask(url: str) -> StoreError | None:
        try:
            probe(url, environ, _PROBE_S, writes=url in written)
        except StoreError as error:
            return error
        return None

    urls = written | read
    if not urls:
        return
    with ThreadPoolExecutor(min(16, len(urls))) as pool:
        answers = [answer for answer in pool.map(ask, sorted(urls)) if answer is not None]
    silent = [answer for answer in answers if isinstance(answer, Unavailable)]
    then = (
        "what is to be restored waits for the store"
        if restores
        else f"{what} starts, its checkpoints wait for the store"
    )
    warn(*(f"{answer}; {then}" for answer in silent))
    refusals = [answer for answer in answers if answer not in silent]
    if refusals:
        lines = [f"{answer}. {answer.hint}".rstrip() for answer in refusals]
        raise UsageError("\n      ".join(lines), hint="Nothing was started. --no-check starts it nevertheless.")


def warn(*lines: str) -> None:
    for line in lines:
        print(f"WARNING: {line}", file=sys.stderr)


def _spot(settings: Settings) -> str:
    """Raises UsageError if it is none of the ways there are."""
    value = settings.values["spot"]
    if value.text not in ("auto", "off") and not value.text.startswith("http://"):
        raise UsageError(f"{value.source}: spot: {value.text!r} is not auto, off or an http:// address")
    return value.text

"""The progress line of an upload, in the very form that tqdm gives it."""

from tqdm import tqdm

_FORMAT = "{percentage:3.0f}%| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"


def progress(done: int, total: int, seconds: float, path: str) -> str:
    """`100%| 5.00M/5.00M [00:00<00:00, 6.73MB/s, file_name=/local/path/file_1.json]`.

    done, total: bytes. seconds: since the upload began. path: the local file that was worked on last.
    """
    shape = _FORMAT if total else _FORMAT.replace("{percentage:3.0f}", "100").replace("{total_fmt}", "0.00")
    return str(
        tqdm.format_meter(
            n=done,
            total=total,
            elapsed=seconds,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            bar_format=shape,
            postfix=f"file_name={path}",
        )
    )

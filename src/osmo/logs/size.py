"""Amounts of data, as people read them."""


def bytes_of(count: int) -> str:
    """`1.2 GB`: decimal, as disks and clouds count."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"

"""Amounts of time, as people read them."""


def span(seconds: float) -> str:
    """`40 s`, `12 m`, `3 h 5 m`, `2 d 4 h`."""
    whole = round(seconds)
    days, hours, minutes = whole // 86_400, whole // 3_600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} m" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} m {whole % 60} s" if whole < 600 and whole % 60 else f"{minutes} m"
    return f"{whole} s"

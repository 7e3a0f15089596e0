"""Whether a fit can fit into memory: refused before the work rather than killed in the middle of it."""

from collections.abc import Iterator
from math import isqrt
from pathlib import Path

from mfrec.errors import ParameterError

# copies of a side's vectors that exist side by side at some moment of every fit (as they are solved, as they are
# returned, in between), and products of factors with factors. A fit takes more than this estimate, never less: what it
# refuses could not have ended
COPIES, SQUARES = 3, 3
_FLOAT32 = 4
# limit and use in a group's folder, and what of the use is cache in memory.stat; version 2 first, which has no name
_GROUPS = {
    "": ("", "memory.max", "memory.current", "inactive_file"),
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def check_memory(shape: tuple[int, int], factors: int) -> None:
    """Raise ParameterError where so many users, items and factors cannot be held in the memory that is available.

    Parameters
    ----------
    shape
        Numbers of users and of items.
    factors
        Length of every vector.
    """
    rows, free = sum(shape), available_memory()
    needed = _estimate(rows, factors)
    if free is None or needed <= free:
        return
    most = _most_factors(rows, free)
    remedy = (
        f"at most {most:,} factors fit" if most else "not one factor fits: drop users or items with few interactions"
    )
    raise ParameterError(
        f"{factors:,} factors of {shape[0]:,} users and {shape[1]:,} items need at least {_gib(needed)}, and "
        f"{_gib(free)} of memory are available: {remedy}"
    )


def available_memory(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return the bytes that this process may still take, swap included; None where the system does not say.

    Parameters
    ----------
    proc, groups
        Where Linux tells of the machine's memory, and of the limits of control groups (containers, batch jobs).
    """
    free = min([*_of_machine(proc), *_of_groups(proc, groups)], default=None)
    return None if free is None else max(0, free)


def _estimate(rows: int, factors: int) -> int:
    return _FLOAT32 * factors * (COPIES * rows + SQUARES * factors)


def _most_factors(rows: int, free: int) -> int:
    """Return the largest number of factors whose estimate is within some bytes."""
    b = COPIES * rows
    return (isqrt(b * b + 4 * SQUARES * (free // _FLOAT32)) - b) // (2 * SQUARES)


def _of_machine(proc: Path) -> Iterator[int]:
    found = _numbers(proc / "meminfo")
    if "MemAvailable:" in found:
        yield 1024 * (found["MemAvailable:"] + found.get("SwapFree:", 0))


def _of_groups(proc: Path, groups: Path) -> Iterator[int]:
    """Yield what is left below the limit of each group that this process is in, and of those around it."""
    for line in _text(proc / "self" / "cgroup").splitlines():
        _, kinds, path = line.split(":", 2)
        for kind in set(kinds.split(",")) & set(_GROUPS):
            folder, limit, use, cache = _GROUPS[kind]
            root = groups / folder
            inner = root / path.lstrip("/")
            for group in (inner, *inner.parents):
                most, used = _text(group / limit).strip(), _text(group / use).strip()
                # ("max" where there is no limit)
                if group.is_relative_to(root) and most.isdigit() and used.isdigit():
                    yield int(most) - int(used) + _numbers(group / "memory.stat").get(cache, 0)


def _numbers(path: Path) -> dict[str, int]:
    """Return the names and numbers of lines that begin with both."""
    words = [line.split() for line in _text(path).splitlines()]
    return {word[0]: int(word[1]) for word in words if len(word) > 1 and word[1].isdigit()}


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""


def _gib(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.1f} MiB"

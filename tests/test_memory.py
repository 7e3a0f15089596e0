"""A fit that cannot fit into memory is refused before the work, with what would."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mfrec
from mfrec.training import memory
from mfrec.training.als import solve
from mfrec.training.memory import _estimate, _most_factors, available_memory, check_memory
from tests.conftest import random_interactions

MEMINFO = "MemTotal:  8000 kB\nMemFree:  10 kB\nMemAvailable:    4000 kB\nSwapFree:  96 kB\nHugePages_Total:  0\n"
UNLIMITED = str(2**63 - 4096)


def machine(home: Path, cgroup: str = "", meminfo: str = MEMINFO) -> tuple[Path, Path]:
    """Write what Linux tells of a machine, and return where."""
    (home / "proc" / "self").mkdir(parents=True)
    (home / "proc" / "meminfo").write_text(meminfo)
    (home / "proc" / "self" / "cgroup").write_text(cgroup)
    return home / "proc", home / "groups"


def group(folder: Path, limit: str, use: int, cache: int, version: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{use}\n")
    inactive = "inactive_file" if version == 2 else "total_inactive_file"
    (folder / "memory.stat").write_text(f"anon 5\n{inactive} {cache}\nfile 7\n")


def test_without_limits_the_machine_counts(tmp_path: Path) -> None:
    assert available_memory(*machine(tmp_path)) == 4096 * 1024


def test_the_tightest_group_counts(tmp_path: Path) -> None:
    proc, groups = machine(tmp_path, "0::/a/b\n")
    group(groups / "a" / "b", "max", 10, 0)
    group(groups / "a", "1000000", 300000, 50000)
    assert available_memory(proc, groups) == 750000
    group(groups, "500000", 600000, 0)
    assert available_memory(proc, groups) == 0


def test_groups_of_version_1_count(tmp_path: Path) -> None:
    proc, groups = machine(tmp_path, "9:name=systemd:/\n4:cpu,memory:/job\n0::/\n")
    group(groups / "memory", UNLIMITED, 10, 0, version=1)
    assert available_memory(proc, groups) == 4096 * 1024
    group(groups / "memory" / "job", "90000", 50000, 1000, version=1)
    assert available_memory(proc, groups) == 41000


def test_a_group_that_a_container_does_not_see_is_its_root(tmp_path: Path) -> None:
    proc, groups = machine(tmp_path, "0::/../outside\n4:memory:/docker/1234\n")
    group(groups / "memory", "80000", 0, 0, version=1)
    assert available_memory(proc, groups) == 80000


@pytest.mark.parametrize("meminfo", ["", "MemTotal: 5 kB\n", "garbage\nMemAvailable: many kB\n"])
def test_what_the_system_does_not_say_refuses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meminfo: str
) -> None:
    assert available_memory(*machine(tmp_path, meminfo=meminfo)) is None
    assert available_memory(tmp_path / "nowhere", tmp_path / "nowhere") is None
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    check_memory((10**9, 10**9), 10**6)


@given(st.integers(1, 10**9), st.integers(0, 2**45))
def test_the_largest_number_that_fits_fits_and_one_more_does_not(rows: int, free: int) -> None:
    most = _most_factors(rows, free)
    assert _estimate(rows, most) // 4 <= free // 4 < _estimate(rows, most + 1) // 4


def test_both_values_and_what_would_fit_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 3 * 2**30)
    check_memory((10**6, 10**5), 200)
    with pytest.raises(mfrec.ParameterError) as refused:
        check_memory((10**6, 10**5), 100_000)
    told = str(refused.value)
    assert told == (
        "100,000 factors of 1,000,000 users and 100,000 items need at least 1,341.1 GiB, and 3.0 GiB of memory are "
        "available: at most 243 factors fit"
    )
    check_memory((10**6, 10**5), 243)
    with pytest.raises(mfrec.ParameterError, match="at least"):
        check_memory((10**6, 10**5), 245)
    monkeypatch.setattr(memory, "available_memory", lambda: 1000)
    with pytest.raises(mfrec.ParameterError, match=r"1,000 items need .*0\.0 MiB.*not one factor fits: drop users"):
        check_memory((1000, 1000), 1)


def test_a_fit_is_refused_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    likes, params = random_interactions(), mfrec.ALSParams(factors=10**7)
    monkeypatch.setattr("mfrec.training.als.weigh", None)
    monkeypatch.setattr("mfrec.training.regularization.weigh", None)
    full = mfrec.ALSParams(10**7, 1.0, user_exponent=0, item_exponent=0, user_scale=0, item_scale=0)
    for begin in (mfrec.fit, mfrec.fit_als):
        with pytest.raises(mfrec.ParameterError, match="10,000,000 factors of 60 users and 80 items need at least"):
            begin(likes, params)
    with pytest.raises(mfrec.ParameterError, match="10,000,000 factors"):
        solve(likes, full)

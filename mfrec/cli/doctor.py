"""``mfrec doctor``: is this machine fit for mfrec."""

import platform
from importlib.metadata import PackageNotFoundError, version

import click

from mfrec.cli.output import table
from mfrec.errors import BackendError, MfrecError

LIBRARIES = ("mfrec", "numpy", "annoy", "implicit", "scipy", "pandas", "scikit-learn", "pyarrow")
SERVING = ("mfrec", "numpy", "annoy")
PORTABLE = (
    "annoy is compiled with -march=native: an environment or image that moves to another CPU needs a portable "
    "build: ANNOY_COMPILER_ARGS='-D_CRT_SECURE_NO_WARNINGS,-O3,-std=c++14,-march=x86-64-v2' pip install "
    "--no-binary annoy --force-reinstall annoy==1.17.3"
)


@click.command()
def doctor() -> int:
    """Check this machine; exit code 1 when something is wrong."""
    rows, problems = _versions()
    click.echo(table(rows))
    checks = (_annoy, _shadowed_implicit, _blas, _data_home)
    for check in checks:
        good, text = check()
        click.echo(f"{'ok  ' if good else 'BAD '} {text}")
        problems += not good
    click.echo(f"note {PORTABLE}")
    click.echo(f"{problems} problem{'s' * (problems != 1)} found" if problems else "no problem found")
    return 1 if problems else 0


def _versions() -> tuple[list[dict[str, str]], int]:
    rows = [{"library": "python", "version": platform.python_version(), "needed for": "everything"}]
    problems = 0
    for name in LIBRARIES:
        serving = name in SERVING
        found = _version(name)
        problems += serving and found is None
        rows.append(
            {"library": name, "version": found or "not installed", "needed for": "serving" if serving else "training"}
        )
    return rows, problems


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _annoy() -> tuple[bool, str]:
    from mfrec.index.annoy import self_test

    try:
        self_test()
    except BackendError as error:
        return False, str(error)
    return True, "annoy finds the neighbours of a known case"


def _shadowed_implicit() -> tuple[bool, str]:
    if _version("pm-implicit") is None:
        return True, "implicit is not shadowed by pm-implicit"
    return False, "pm-implicit overwrites implicit's files: pip uninstall pm-implicit, then reinstall implicit"


def _blas() -> tuple[bool, str]:
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return True, "threadpoolctl is not installed: BLAS threads cannot be read (serving does not need it)"
    pools = [
        f"{p['internal_api']} with {p['num_threads']} threads" for p in threadpool_info() if p["user_api"] == "blas"
    ]
    return True, f"BLAS: {', '.join(pools) or 'none loaded'}; limited to 1 while fitting"


def _data_home() -> tuple[bool, str]:
    try:
        from mfrec.data.movielens import data_home
    except ImportError:
        return True, "no data sets: pandas is not installed (serving does not need it)"
    try:
        home = data_home()
    except MfrecError as error:
        return False, str(error)
    found = sorted(p.name for p in home.iterdir() if p.name.startswith("ml-")) if home.is_dir() else []
    return True, f"data sets lie in {home}: {', '.join(found) or 'none yet'}"

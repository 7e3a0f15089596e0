"""``mfrec demo``: everything once, on real films where they can be had."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from mfrec.cli.output import show_indexes, show_ranking, table
from mfrec.cli.text import to_paste
from mfrec.data.download import download as fetch
from mfrec.data.interactions import Interactions
from mfrec.data.movielens import data_home, load_movielens
from mfrec.data.synthetic import sample
from mfrec.directions import DIRECTIONS, Direction
from mfrec.errors import DataError, DownloadError
from mfrec.index import IndexParams
from mfrec.storage import folder as model_folder
from mfrec.training.fit import fit
from mfrec.training.params import ALSParams

RELEASE = "ml-100k"
USER, ITEM = 42, 1


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="Model folder  [default: models/SOURCE]")
@click.option("--sample", "use_sample", is_flag=True, help="Use the built-in sample, without any download.")
@click.option("-k", default=5, show_default=True, help="How many to show per direction.")
def demo(out: Path | None, use_sample: bool, k: int) -> None:
    """Fit MovieLens 100K and show the four directions for user 42 and for Toy Story (1995).

    The data comes from MFREC_DATA_HOME, else from a download, else the built-in sample takes its place.
    """
    stages: dict[str, float] = {}
    with _timed(stages, "read the data"):
        name, interactions = ("sample", sample().interactions) if use_sample else _real_or_sample()
    click.echo(f"{name}: {interactions!r}")
    with _timed(stages, "fit the factors, build the indexes"):
        model = fit(interactions, ALSParams(), IndexParams(), progress=True)
    folder = out or Path("models") / name
    with _timed(stages, "save"):
        model.save(folder)
    with _timed(stages, "load and verify"):
        loaded = model_folder.load(folder)
    with _timed(stages, "ask four directions"):
        answers = [(direction, key, loaded.recommend(direction.name, [key], k)[0]) for direction, key in _questions()]
    for direction, key, ranking in answers:
        show_ranking(loaded, direction, key, ranking)
    click.echo()
    show_indexes(loaded, IndexParams())
    click.echo()
    if loaded.check is not None:
        click.echo(str(loaded.check))
        click.echo()
    click.echo(table([{"stage": stage, "seconds": f"{seconds:.3f}"} for stage, seconds in stages.items()]))
    size = sum(path.stat().st_size for path in folder.iterdir()) / 2**20
    click.echo(f"\nwrote {folder} ({size:.1f} MiB); what to type next:")
    click.echo(f"  {to_paste('recommend', folder, 'user2item', 7)}")
    title = loaded.labels.item[100] if loaded.labels.item is not None else loaded.ids.item.id(100)
    click.echo(f"  {to_paste('recommend', folder, 'item2item', title, options=('--json',))}")
    click.echo(f"  {to_paste('verify', folder)}")


def _questions() -> list[tuple[Direction, int]]:
    return [(direction, USER if direction.query == "user" else ITEM) for direction in DIRECTIONS.values()]


def _real_or_sample() -> tuple[str, Interactions]:
    try:
        return RELEASE, load_movielens(RELEASE)
    except DataError as error:
        if (data_home() / RELEASE).exists():
            raise
        click.echo(f"{RELEASE} is not in {data_home()}, trying to download it ({type(error).__name__})", err=True)
    try:
        fetch(RELEASE)
        return RELEASE, load_movielens(RELEASE)
    except DownloadError as error:
        click.echo(f"could not download it: {error}", err=True)
        click.echo("running on the built-in sample instead: the titles are made up, the directions are real", err=True)
        return "sample", sample().interactions


@contextmanager
def _timed(stages: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    stages[name] = time.perf_counter() - started

"""How much the benchmark measures."""

from dataclasses import dataclass

from benchmarks.two_tower_settings import Settings

# whose lists are shown side by side
USER, TITLE = 42, "Toy Story (1995)"
FIRST_SEED = 42


@dataclass(frozen=True)
class Plan:
    """The defaults are the full benchmark.

    Parameters
    ----------
    datasets
        MovieLens releases by name.
    seeds, cold_seeds
        Splits and models per protocol; and where whole titles are held out.
    tower_trials, mfrec_trials
        Of each search, per data set and protocol; a two-tower takes a minute or two, mfrec less than a second.
    snapshots, longer
        Epochs after which a two-tower of the search is judged; and further ones of the best, where that is the best
        after the last of these.
    finalists
        So many of the best two-towers, with and without the time, are judged on all validation parts.
    curve
        Epochs of the curve of accuracy against training time.
    epochs
        Upper limit of every training, or None.
    users
        How many users of a data set, or None for all.
    repeats, queries
        Of the cost measurements.
    """

    datasets: tuple[str, ...] = ("ml-100k", "ml-latest-small")
    seeds: int = 5
    cold_seeds: int = 2
    tower_trials: int = 16
    mfrec_trials: int = 120
    snapshots: tuple[int, ...] = (5, 10, 20, 40)
    longer: tuple[int, ...] = (60, 80, 100)
    finalists: int = 2
    curve: tuple[int, ...] = (1, 2, 5, 10, 20, 50)
    epochs: int | None = None
    users: int | None = None
    repeats: int = 7
    queries: int = 500

    def cap(self, settings: Settings) -> Settings:
        """Return the settings within the limit of epochs."""
        return settings.but(epochs=min(settings.epochs, self.epochs or settings.epochs))


SMOKE = Plan(
    datasets=("ml-100k",),
    seeds=1,
    tower_trials=2,
    mfrec_trials=3,
    snapshots=(1,),
    longer=(),
    finalists=1,
    curve=(1,),
    epochs=1,
    users=200,
    repeats=1,
    queries=50,
)

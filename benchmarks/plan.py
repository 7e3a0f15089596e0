"""How much the benchmark measures."""

from dataclasses import dataclass

from benchmarks.moment import MOMENTS, Moment
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
        Of each search, per data set; a two-tower takes a minute or two, mfrec less than a second.
    tower_trials_by_time
        The same on the split by time: those that were written down, as the drawn ones came behind on the other split.
    snapshots, longer
        Epochs after which a two-tower of the search is judged; and further ones of the best, where that is the best
        after the last of these.
    finalists
        So many of the best two-towers, with and without the time, are judged on all validation parts.
    folds
        Validation parts.
    moments
        Ways to let histories fade that are tried with mfrec's tuned parameters.
    curve, mfrec_curve
        Epochs, and iterations of mfrec, of the curve of accuracy against training time.
    mfrec_fits
        Fits per point of mfrec's curve, of which the median is taken: so short a time wants repeating.
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
    tower_trials_by_time: int = 14
    mfrec_trials: int = 120
    snapshots: tuple[int, ...] = (5, 10, 20, 40)
    longer: tuple[int, ...] = (60, 80, 100)
    finalists: int = 2
    folds: int = 3
    moments: tuple[Moment, ...] = MOMENTS
    curve: tuple[int, ...] = (1, 2, 5, 10, 20, 50)
    mfrec_curve: tuple[int, ...] = (1, 2, 3, 5, 8, 12, 20, 30)
    mfrec_fits: int = 5
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
    tower_trials_by_time=1,
    mfrec_trials=2,
    snapshots=(1,),
    longer=(),
    finalists=1,
    folds=2,
    # none that fades, and the one that fades fastest
    moments=MOMENTS[:2],
    curve=(1,),
    mfrec_curve=(1, 2),
    mfrec_fits=1,
    epochs=1,
    users=200,
    repeats=1,
    queries=50,
)

"""``mfrec evaluate``, ``mfrec tune`` and ``mfrec fit --params`` as a user calls them."""

import json
from pathlib import Path
from typing import Any

import pytest

import mfrec
from mfrec import tuning
from mfrec.als import fit_als
from mfrec.cli import main
from mfrec.tuning import read_params
from tests.conftest import random_interactions

pytest.importorskip("optuna")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a small table in it."""
    monkeypatch.chdir(tmp_path)
    frame = random_interactions(80, 60).to_frame()
    frame.assign(time=[97 * row % 1009 for row in range(len(frame))]).to_csv("likes.csv", index=False)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    with pytest.raises(SystemExit) as stopped:
        main([*arguments])
    told = capsys.readouterr()
    assert stopped.value.code == code, told.err
    return told.out, told.err


@pytest.mark.parametrize(
    "split", [["random", "--test-fraction", "0.3"], ["last", "--time-col", "time"], ["time", "--time-col", "time"]]
)
def test_evaluate_prints_all_four_directions(capsys: pytest.CaptureFixture[str], split: list[str]) -> None:
    out, _ = run(capsys, "evaluate", "likes.csv", "--split", *split, "-k", "5", "--factors", "8", "--quiet")
    for direction in mfrec.DIRECTIONS:
        assert f"\n{direction}: " in f"\n{out}"
    assert "popularity" in out
    assert "ndcg@5" in out


def test_evaluate_gives_programs_what_the_library_gives(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["likes.csv", "--json", "-k", "5", "-k", "7", "--factors", "8", "--seed", "3", "--quiet"]
    out, _ = run(capsys, "evaluate", *arguments)
    train, test = mfrec.splits.random_split(mfrec.Interactions.read("likes.csv"), 0.2, 3)
    model = mfrec.fit(train, mfrec.ALSParams(factors=8, seed=3), mfrec.IndexParams(index="exact"))
    assert json.loads(out) == json.loads(mfrec.evaluate(model, test, (5, 7), train=train, seed=3).to_json())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "likes.csv", "--split", "last"], "has no times"),
        (["evaluate", "likes.csv", "--split", "halves"], "halves"),
        (["evaluate", "likes.csv", "--test-fraction", "2"], "test_fraction must be above 0 and below 1"),
        (["evaluate", "likes.csv", "-k", "0"], "k must be an integer above 0"),
        (["evaluate", "none.csv"], "no such file: none.csv"),
        (["evaluate", "likes.csv", "--params", "none.json"], "cannot be read as a parameter file"),
        (["tune", "likes.csv", "--metric", "auc"], "unknown metric 'auc'"),
        (["tune", "likes.csv", "--minutes", "0"], "the budget must be positive"),
        (["tune", "likes.csv", "--out", "no/such/params.json"], "cannot write no/such/params.json"),
        (["tune", "likes.csv", "--resume", "."], "cannot write .: it is a folder"),
        (["fit", "likes.csv", "--params", "likes.csv"], "cannot be read as a parameter file"),
    ],
)
def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    out, err = run(capsys, *arguments, "--quiet", code=2)
    assert out == ""
    assert message in err
    assert err.startswith("mfrec: ")
    assert err.count("\n") == 1


def test_tune_then_fit_with_what_it_found(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    out, _ = run(capsys, "tune", "likes.csv", "--trials", "3", "--metric", "recall@5", "--threads", "1", "--quiet")
    assert "recall@5" in out
    assert "3 trials, best recall@5" in out
    params = mfrec.ALSParams(**read_params(Path("params.json")))
    tuned = mfrec.load("models/likes-tuned")
    assert tuned.info["als"]["alpha"] == params.alpha
    assert tuned.links.user.numbers.size == len(mfrec.Interactions.read("likes.csv"))
    run(capsys, "fit", "likes.csv", "--params", "params.json", "--out", "same", "--quiet")
    assert (mfrec.load("same").factors.user == tuned.factors.user).all()
    run(capsys, "fit", "likes.csv", "--params", "params.json", "--factors", "5", "--out", "other", "--quiet")
    other = mfrec.load("other")
    assert (other.factors.size, other.info["als"]["alpha"]) == (5, params.alpha)


def test_tune_for_programs(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    arguments = ["likes.csv", "--trials", "2", "--json", "--no-fit", "--plain", "--transform", "binary", "--quiet"]
    out, _ = run(capsys, "tune", *arguments)
    told = json.loads(out)
    assert len(told["trials"]) == 2
    assert told["best"]["params"] == read_params(Path("params.json"))
    assert told["best"]["params"]["transform"] == "binary"
    assert told["best"]["params"]["item_exponent"] == 0
    assert not Path("models").exists()


def test_tune_goes_on_from_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["tune", "likes.csv", "--trials", "2", "--resume", "log.jsonl", "--no-fit", "--quiet"]
    run(capsys, *arguments)
    out, _ = run(capsys, *arguments)
    assert "4 trials" in out


def test_ctrl_c_keeps_the_best_and_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    real = fit_als
    made: list[int] = []

    def stopped(*args: Any, **options: Any) -> Any:
        made.append(1)
        if len(made) > 2:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(tuning, "fit_als", stopped)
    out, err = run(capsys, "tune", "likes.csv", "--no-fit", "--quiet")
    assert "stopped by Ctrl-C; what follows is the best so far: 2 trials" in err
    assert "parameters are in params.json" in out
    assert Path("params.json").exists()

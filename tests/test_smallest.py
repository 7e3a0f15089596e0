"""Tables of one user or one item: a model that answers what can be answered, and nothing else."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import mfrec
from mfrec.cli.main import cli
from mfrec.directions import DIRECTIONS

SHAPES = [(1, 3), (3, 1), (1, 1)]


def fitted(users: int, items: int) -> mfrec.Recommender:
    pairs = [(f"u{u}", f"i{i}") for u in range(users) for i in range(items)]
    return mfrec.fit(mfrec.Interactions.from_frame(pd.DataFrame(pairs, columns=["user", "item"])))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_cannot_be_answered_is_an_empty_list(shape: tuple[int, int], tmp_path: Path) -> None:
    sizes = dict(zip(("user", "item"), shape, strict=True))
    fitted(*shape).save(tmp_path / "m")
    assert mfrec.verify(tmp_path / "m")["counts"]["links"] == shape[0] * shape[1]
    model = mfrec.load(tmp_path / "m")
    assert model.check is not None
    small = {f"too small for {side}2{side}: there is one {side}" for side, size in sizes.items() if size == 1}
    assert small <= set(model.check.notes)
    for name, direction in DIRECTIONS.items():
        first = model.ids[direction.query].id(0)
        # everything was seen across sides, and nobody is like the only one of a side
        expected = 0 if direction.across else sizes[direction.target] - 1
        assert len(model.recommend(name, [first])[0]) == expected
        seen = model.recommend(name, [first], exclude_seen=False)[0]
        assert len(seen) == (sizes[direction.target] if direction.across else expected)
        rows = sum(len(block) for block in model.recommend_all(name, 5))
        assert rows == expected * sizes[direction.query]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_command_line_takes_them(shape: tuple[int, int], tmp_path: Path) -> None:
    def run(*args: object) -> str:
        done = CliRunner().invoke(cli, list(map(str, args)), catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    folder = tmp_path / "m"
    fitted(*shape).save(folder)
    assert run("check", folder).startswith("check: ")
    for name, direction in DIRECTIONS.items():
        first = {"user": "u0", "item": "i0"}[direction.query]
        answer = json.loads(run("recommend", folder, name, first, "--json"))
        assert len(answer["results"]) == (0 if direction.across else shape[direction.target == "item"] - 1)
        assert ("nothing is eligible" in run("recommend", folder, name, first)) == (not answer["results"])
        run("export", folder, name, "--out", tmp_path / "out.csv", "--quiet")
        assert len(pd.read_csv(tmp_path / "out.csv")) == len(answer["results"]) * shape[direction.query == "item"]

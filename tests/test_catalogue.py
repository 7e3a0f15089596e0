"""`Catalogue`: tables of items and users, checked before anything is learnt from them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mfrec
from mfrec.coldstart.catalogue import Catalogue
from mfrec.errors import DataError, ParameterError

INTEGERS = mfrec.IdMap.of("item", [1, 2, 3])
STRINGS = mfrec.IdMap.of("item", ["1", "2", "x"])
TABLE = pd.DataFrame({"id": [3, 1, 7, 2], "title": ["c", "a", np.nan, "b"], "year": [2003, 2001, 2007, np.nan]})


def test_rows_by_id_and_what_is_beyond_them() -> None:
    catalogue = Catalogue(TABLE, "id", text=["title"], numbers=["year"], label="title")
    assert catalogue.rows("item", [1, 2, 3])["title"].tolist() == ["a", "b", "c"]
    assert catalogue.without([1, 2, 3]).index.tolist() == [7]
    assert catalogue.labels() == {3: "c", 1: "a", 2: "b"}
    assert Catalogue(TABLE, "id", numbers=["year"]).labels() == {}
    assert catalogue.roles == {"text": ["title"], "categories": (), "numbers": ["year"]}


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        (TABLE, {"text": ["name"]}, "the table has no column 'name': it has 'id', 'title', 'year'"),
        (TABLE, {"text": ["title"], "key": "isbn"}, "the table has no column 'isbn'"),
        (TABLE, {"text": ["title"], "label": "name"}, "the table has no column 'name'"),
        (TABLE.assign(id=[1, 1, 2, 3]), {"text": ["title"]}, "id 1 stands twice in the table: one row per id"),
        (TABLE.assign(id=[1, np.nan, 2, 3]), {"text": ["title"]}, "the table has 1 rows without a value of 'id'"),
        (TABLE[:0], {"text": ["title"]}, "the table has no rows"),
    ],
)
def test_tables_that_are_no_catalogue(table: pd.DataFrame, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Catalogue(table, **{"key": "id", **columns})


def test_a_catalogue_without_columns_or_without_a_known_id() -> None:
    with pytest.raises(ParameterError, match="name at least one column of text, categories or numbers of the table"):
        Catalogue(TABLE, "id")
    catalogue = Catalogue(TABLE, "id", text=["title"], name="films.csv")
    strict = Catalogue(TABLE, "id", text=["title"], name="films.csv", strict=True)
    with pytest.raises(DataError, match=r"films\.csv has no row for 2 of 3 items with interactions \(the first is 8"):
        strict.rows("item", [1, 8, 9])
    with pytest.raises(DataError, match=r"the first is 'a', its own first id 3"):
        catalogue.rows("item", ["a"])


@pytest.mark.parametrize("name", ["films.csv", "films.tsv", "films.csv.gz", "films.parquet"])
def test_the_same_from_every_kind_of_file(tmp_path: Path, name: str) -> None:
    path, table = tmp_path / name, TABLE.assign(title=["1984", "007", np.nan, "b"])
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if name.endswith("tsv") else ",")
    catalogue = Catalogue.read(path, INTEGERS, "id", text=["title"], numbers=["year"], label="title")
    # a title stays as it is written
    assert catalogue.labels() == {3: "1984", 1: "007", 2: "b"}
    assert catalogue.rows("item", INTEGERS)["year"].tolist()[::2] == [2001, 2003]


def test_ids_are_read_as_those_of_the_interactions(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text("id,title\n1,a\n2,b\n")
    assert Catalogue.read(path, INTEGERS, "id", text=["title"]).table["id"].tolist() == [1, 2]
    assert Catalogue.read(path, STRINGS, "id", text=["title"]).table["id"].tolist() == ["1", "2"]
    path.write_text("id,title\n1,a\nx,b\n")
    assert Catalogue.read(path, STRINGS, "id", text=["title"]).table["id"].tolist() == ["1", "x"]
    with pytest.raises(DataError, match=r"films\.csv has the id 'x': item ids of the interactions are integers"):
        Catalogue.read(path, INTEGERS, "id", text=["title"])
    path.write_text("id,title\n1,a\n,b\n")
    for ids in (INTEGERS, STRINGS):
        with pytest.raises(DataError, match="1 rows without a value of 'id'"):
            Catalogue.read(path, ids, "id", text=["title"])
    path.write_text("id,title\n")
    with pytest.raises(DataError, match="has no rows"):
        Catalogue.read(path, INTEGERS, "id", text=["title"])


def test_what_movielens_tells(movielens_home: Path) -> None:
    movies, users = (Catalogue.movielens("ml-100k", side) for side in ("item", "user"))
    toy = movies.rows("item", [1]).iloc[0]
    assert (toy["title"], toy["genres"], toy["year"]) == ("Toy Story (1995)", "Animation|Children's|Comedy", 1995)
    # one film of the release has no title
    assert movies.table["year"].isna().sum() < 5
    assert users.roles == {"text": (), "categories": ("gender", "occupation", "region"), "numbers": ("age",)}
    assert users.labels() == {}

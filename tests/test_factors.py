import numpy as np
import pytest

from mfrec.directions import SIDES, Pair, Side
from mfrec.errors import DataError
from mfrec.model.factors import Factors


def matrix(rows: int, columns: int = 4, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def test_size_sides_and_gram() -> None:
    factors = Factors(matrix(5), matrix(7, seed=1))
    assert (factors.size, len(factors.user), len(factors.item)) == (4, 5, 7)
    for side in SIDES:
        np.testing.assert_allclose(factors.gram[side], factors[side].T @ factors[side], rtol=1e-6)
        assert factors.gram[side].dtype == np.float32


def test_a_given_gram_is_not_computed_again() -> None:
    gram = Pair(matrix(4), matrix(4))
    assert Factors(matrix(5), matrix(7), given_gram=gram).gram is gram


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted(side: Side, value: float) -> None:
    matrices = {"user": matrix(5), "item": matrix(7)}
    matrices[side][2, 1] = value
    with pytest.raises(DataError, match=rf"1 of {len(matrices[side])} {side} vectors are not finite"):
        Factors(matrices["user"], matrices["item"]).check_finite()


def test_shapes_and_types_must_fit() -> None:
    with pytest.raises(DataError, match="user factors have 4 columns, item factors 3"):
        Factors(matrix(5), matrix(7, 3))
    with pytest.raises(DataError, match=r"user factors must be a float32 matrix, got float64 of shape \(5, 4\)"):
        Factors(matrix(5).astype(np.float64), matrix(7))
    with pytest.raises(DataError, match="item factors must be a float32 matrix"):
        Factors(matrix(5), matrix(7)[0])


def test_repr_says_how_large() -> None:
    assert repr(Factors(matrix(5), matrix(7))) == "Factors(5 users x 7 items x 4)"

"""The adjacency of a CSR matrix."""

import numpy as np
from scipy.sparse import csr_matrix

from mfrec.model.adjacency import Adjacency


def test_a_csr_matrix_becomes_an_adjacency_without_a_copy_of_its_numbers() -> None:
    matrix = csr_matrix(np.array([[0, 2, 3], [0, 0, 0], [1, 0, 0]]))
    adjacency = Adjacency.from_csr(matrix.indptr, matrix.indices)
    assert [adjacency.of(number).tolist() for number in range(len(adjacency))] == [[1, 2], [], [0]]
    assert adjacency.starts.dtype == np.int64
    assert adjacency.numbers is matrix.indices

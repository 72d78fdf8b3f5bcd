"""How the linear layer multiplies, where its product is the same in either way and one takes less time."""

import numpy as np
import pytest

from jactrain.layers.linear import _transposed

# shape of the matrix, (K, I, O); K and N of the rows; whether the matrix is copied
COPIED = [
    ((1, 64, 64), (1, 64), True),
    ((1, 64, 64), (2, 32), True),
    ((1, 64, 64), (1, 63), False),
    ((1, 32, 128), (1, 64), True),
    ((1, 31, 64), (1, 64), False),
    ((1, 65, 64), (1, 64), False),
    ((2, 64, 64), (2, 64), False),
]


@pytest.mark.parametrize(("shape", "rows", "copied"), COPIED)
def test_small_matrices_are_copied_to_be_read_in_order_by_many_rows(shape, rows, copied):
    matrix = np.random.default_rng(0).standard_normal(shape)
    transposed = _transposed(np, matrix, np.zeros((*rows, shape[2])))
    assert np.array_equal(transposed, matrix.swapaxes(1, 2))
    assert np.shares_memory(transposed, matrix) is not copied

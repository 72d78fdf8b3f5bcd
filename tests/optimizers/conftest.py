from typing import Any

import numpy as np
import pytest
from optimizer_cases import CASES, label


@pytest.fixture(params=CASES, ids=label)
def case(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> Any:
    return np.dtype(request.param)

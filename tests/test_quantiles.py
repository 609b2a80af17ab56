"""Quantiles of sorted values are numpy's, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_seespot._quantiles import quantiles_of_sorted


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint8])
@given(data=st.data())
def test_quantiles_are_numpys(dtype: type, data: st.DataObject) -> None:
    values = data.draw(
        hnp.arrays(
            dtype,
            st.integers(1, 60),
            elements={"min_value": 0, "max_value": 200}
            if np.issubdtype(dtype, np.integer)
            else {"min_value": -(2.0**99), "max_value": 2.0**99, "allow_nan": False},
        )
    )
    shares = data.draw(st.lists(st.floats(0, 1), min_size=1, max_size=9))
    wanted = np.quantile(values.astype(np.float64), shares)
    assert quantiles_of_sorted(np.sort(values), shares).tolist() == wanted.tolist()

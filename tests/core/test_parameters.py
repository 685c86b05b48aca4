"""Parameters: immutable, named, structural or numeric."""

import pickle
from typing import Any

import numpy as np
import pytest

from attns_core import AttnsError, Params


def test_numeric_values_are_flat_and_named_in_order() -> None:
    p = Params(n=2, g=9.81, k=[1, 2.5])
    np.testing.assert_array_equal(p.numeric(), [9.81, 1.0, 2.5])
    assert p.numeric_names() == ["g", "k[0]", "k[1]"]
    assert p.structural() == {"n": 2}
    view = p.replaced_by(["G", "A", "B"])
    assert (view.n, view.g, view.k) == (2, "G", ("A", "B"))


def test_they_are_immutable_mappings_that_survive_pickling() -> None:
    p = Params(n=2, g=9.81)
    assert dict(p) == {"n": 2, "g": 9.81}
    assert dict(pickle.loads(pickle.dumps(p))) == dict(p)
    with pytest.raises(AttributeError, match=r"use equation\.with_params"):
        p.g = 1.0  # type: ignore[misc]
    with pytest.raises(AttributeError, match=r"no parameter 'h'; there are \['g', 'n'\]"):
        _ = p.h


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "ten", True, [[1.0]], [1.0, float("nan")], None])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(AttnsError, match="parameter 'g'"):
        Params(g=value)

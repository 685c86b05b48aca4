"""Names for the types in every signature that a plugin author writes.

Shapes are written ``(dim, n)`` for ``n`` trajectories of a system with ``dim`` components: state is
component-major everywhere, so that ``theta, r, omega, v = u`` unpacks components and every
operation runs over trajectories.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.floating[Any]]
"""A floating-point array; shapes are stated in docstrings."""

Scalar: TypeAlias = Any
"""A number, an array over trajectories, a tensor or a symbol, depending on the maths namespace."""

Rhs: TypeAlias = Callable[[Scalar, Any, Any, Any], Sequence[Scalar]]
"""``rhs(t, u, p, m)`` -> one derivative per component, written with the functions of ``m``."""

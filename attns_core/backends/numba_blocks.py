"""How many lanes a block has where there are trajectories enough for any number."""

from attns_core.kernels.corrector_form import CorrectorForm, Layout
from attns_core.kernels.form import Form
from attns_core.kernels.vectors import explicit_bits, nearest_cache
from attns_core.method import AbstractMethod, ExplicitRungeKutta

MANY = 16
"""Components from which whole steps gain by longer blocks."""

NEAREST_CACHE = nearest_cache()
"""Bytes of a block up to which longer rows pay, and beyond which shorter ones do.

Measured where they are 48 KB, on DOP853 and the pendulum of four links, all stages as inputs: 48 lanes (90 KB) take
20 % longer than 32.
"""


def block_length(
    form: Form, dim: int, method: AbstractMethod, term: CorrectorForm | None, *, whole: bool, weights: int = 0
) -> int:
    """Lanes of a block in place of ``form.lanes``.

    Parameters
    ----------
    form : Form
    dim : int
        Components of the system.
    method : AbstractMethod
    term : CorrectorForm, optional
    whole : bool
        Whether a step is one piece, which keeps no stages in memory.
    weights : int
        Weights of stages that each trajectory has of its own.
    """
    lanes = form.lanes
    if term is not None and not (term.is_on_vectors(form) or term.is_polynomial_on_vectors(dim)):
        # Weights are fetched once per pass over a block: longer blocks fetch them less often.
        return 4 * lanes
    # Whole tiles; and rows that are a power of two apart would meet in the same places of the cache.
    tiles = lanes + lanes // 2
    if term is None:
        if isinstance(method, ExplicitRungeKutta) and not whole:
            return _shorter(form, (method.tableau.stages + 1) * dim + weights)
        return tiles if whole and dim >= MANY else lanes
    if term.is_polynomial_on_vectors(dim) or (term.is_narrow(dim) and not (whole and dim >= MANY)):
        return lanes
    stages = 0 if whole or not isinstance(method, ExplicitRungeKutta) else method.tableau.stages + 3
    rows = Layout(dim, term).rows + stages * dim
    return tiles if rows * tiles * form.itemsize <= NEAREST_CACHE else lanes


def _shorter(form: Form, rows: int) -> int:
    """Lanes of a block whose ``rows`` stay in the nearest cache, but no fewer than a vector has.

    Measured where that is 48 KB, on DOP853: Lorenz 96 of 40 components takes half as long with 8 lanes (38 KB) as with
    32, eight links with 16 (31 KB) 5 % less than with 32; where it is 32 KB, eight links and 24 stages whose weights
    depend on the state take 4 % less with 4 lanes (22 KB) than with 8.
    """
    lanes, vector = form.lanes, explicit_bits(form.vector_bits) // 8 // form.itemsize
    # A fifth is left to what a step needs besides.
    while rows * lanes * form.itemsize > NEAREST_CACHE * 4 // 5 and lanes % (2 * vector) == 0:
        lanes //= 2
    return lanes

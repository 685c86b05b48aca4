"""Other people's solvers, registered: one file per library, imported when it is used."""

from attns_core import AbstractSolver, hookimpl
from attns_interop.cvode import CVODE
from attns_interop.diffrax_solvers import DIFFRAX
from attns_interop.heyoka_taylor import HEYOKA
from attns_interop.jax_scan import JAX
from attns_interop.numbalsoda_solvers import NUMBALSODA
from attns_interop.scipy_solvers import SCIPY
from attns_interop.torchdiffeq_solvers import TORCHDIFFEQ
from attns_interop.torchode_solvers import TORCHODE

SOLVERS: tuple[AbstractSolver, ...] = (
    *SCIPY,
    *HEYOKA,
    *NUMBALSODA,
    *CVODE,
    *DIFFRAX,
    *JAX,
    *TORCHDIFFEQ,
    *TORCHODE,
)


@hookimpl
def attns_solvers() -> tuple[AbstractSolver, ...]:
    return SOLVERS

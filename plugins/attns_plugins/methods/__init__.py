"""Methods: one file of coefficients each, plus one line here."""

from attns_core import hookimpl
from attns_core.method import AbstractMethod
from attns_plugins.methods.bs3 import BS3
from attns_plugins.methods.composed import COMPOSED
from attns_plugins.methods.dop853 import DOP853
from attns_plugins.methods.dopri5 import DOPRI5
from attns_plugins.methods.etdrk4 import ETDRK4
from attns_plugins.methods.euler import EULER
from attns_plugins.methods.exponential_euler import EXPONENTIAL_EULER
from attns_plugins.methods.heun import HEUN
from attns_plugins.methods.linearly_implicit_euler import LINEARLY_IMPLICIT_EULER
from attns_plugins.methods.midpoint import MIDPOINT
from attns_plugins.methods.ralston import RALSTON
from attns_plugins.methods.rk3 import RK3
from attns_plugins.methods.rk4 import RK4
from attns_plugins.methods.rk38 import RK38
from attns_plugins.methods.rodas4 import RODAS4
from attns_plugins.methods.rodas5p import RODAS5P
from attns_plugins.methods.srkn11 import SRKN11
from attns_plugins.methods.ssprk3 import SSPRK3
from attns_plugins.methods.stormer_verlet import STORMER_VERLET
from attns_plugins.methods.tsit5 import TSIT5
from attns_plugins.methods.verner6 import VERNER6
from attns_plugins.methods.verner7 import VERNER7
from attns_plugins.methods.verner9 import VERNER9
from attns_plugins.methods.yoshida4 import YOSHIDA4
from attns_plugins.methods.zero import ZERO

METHODS: tuple[AbstractMethod, ...] = (
    EULER,
    MIDPOINT,
    HEUN,
    RALSTON,
    RK3,
    SSPRK3,
    RK4,
    RK38,
    BS3,
    DOPRI5,
    TSIT5,
    VERNER6,
    VERNER7,
    DOP853,
    VERNER9,
    *COMPOSED,
    STORMER_VERLET,
    YOSHIDA4,
    SRKN11,
    LINEARLY_IMPLICIT_EULER,
    RODAS4,
    RODAS5P,
    EXPONENTIAL_EULER,
    ETDRK4,
    ZERO,
)


@hookimpl
def attns_methods() -> tuple[AbstractMethod, ...]:
    return METHODS

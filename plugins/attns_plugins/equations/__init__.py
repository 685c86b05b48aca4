"""Equations: one file each, plus one line here."""

from attns_core import Equation, hookimpl
from attns_core.coordinates import LOGARITHM, SQUARE_ROOT, Coordinate
from attns_plugins.equations.arenstorf import ARENSTORF
from attns_plugins.equations.brusselator import BRUSSELATOR
from attns_plugins.equations.burgers import BURGERS
from attns_plugins.equations.dahlquist import DAHLQUIST
from attns_plugins.equations.damped_oscillator import DAMPED_OSCILLATOR
from attns_plugins.equations.driven_oscillator import DRIVEN_OSCILLATOR
from attns_plugins.equations.elastic_pendulum import ELASTIC_PENDULUM
from attns_plugins.equations.fitzhugh_nagumo import FITZHUGH_NAGUMO
from attns_plugins.equations.fourier_potential import FOURIER_POTENTIAL
from attns_plugins.equations.fput_chain import FPUT_CHAIN
from attns_plugins.equations.henon_heiles import HENON_HEILES
from attns_plugins.equations.hires import HIRES
from attns_plugins.equations.k_link_pendulum import K_LINK_PENDULUM
from attns_plugins.equations.kepler import KEPLER
from attns_plugins.equations.kuramoto_sivashinsky import KURAMOTO_SIVASHINSKY
from attns_plugins.equations.lennard_jones import LENNARD_JONES
from attns_plugins.equations.logistic_forced import LOGISTIC_FORCED
from attns_plugins.equations.lorenz63 import LORENZ63
from attns_plugins.equations.lorenz96 import LORENZ96
from attns_plugins.equations.lotka_volterra import LOTKA_VOLTERRA
from attns_plugins.equations.nine_mode_shear_flow import NINE_MODE_SHEAR_FLOW
from attns_plugins.equations.oregonator import OREGONATOR
from attns_plugins.equations.outer_solar_system import OUTER_SOLAR_SYSTEM
from attns_plugins.equations.pleiades import PLEIADES
from attns_plugins.equations.quadrupole_trap import QUADRUPOLE_TRAP
from attns_plugins.equations.robertson import ROBERTSON
from attns_plugins.equations.robertson_rates import ROBERTSON_RATES
from attns_plugins.equations.spring_chain import SPRING_CHAIN
from attns_plugins.equations.stick_slip import STICK_SLIP
from attns_plugins.equations.stick_slip_coulomb import STICK_SLIP_COULOMB
from attns_plugins.equations.van_der_pol import VAN_DER_POL
from attns_plugins.equations.van_der_pol_stiff import VAN_DER_POL_STIFF

EQUATIONS: tuple[Equation, ...] = (
    ARENSTORF,
    BRUSSELATOR,
    BURGERS,
    DAHLQUIST,
    DAMPED_OSCILLATOR,
    DRIVEN_OSCILLATOR,
    ELASTIC_PENDULUM,
    FITZHUGH_NAGUMO,
    FOURIER_POTENTIAL,
    FPUT_CHAIN,
    HENON_HEILES,
    HIRES,
    KEPLER,
    KURAMOTO_SIVASHINSKY,
    K_LINK_PENDULUM,
    LENNARD_JONES,
    LOGISTIC_FORCED,
    LORENZ63,
    LORENZ96,
    LOTKA_VOLTERRA,
    NINE_MODE_SHEAR_FLOW,
    OREGONATOR,
    OUTER_SOLAR_SYSTEM,
    PLEIADES,
    QUADRUPOLE_TRAP,
    ROBERTSON,
    ROBERTSON_RATES,
    SPRING_CHAIN,
    STICK_SLIP,
    STICK_SLIP_COULOMB,
    VAN_DER_POL,
    VAN_DER_POL_STIFF,
)


@hookimpl
def attns_equations() -> tuple[Equation, ...]:
    return EQUATIONS


@hookimpl
def attns_coordinates() -> tuple[Coordinate, ...]:
    return (LOGARITHM, SQUARE_ROOT)

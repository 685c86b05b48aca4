"""An equation: a named family of initial value problems, written once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias, final

import numpy as np

from attns_core.citation import Citation
from attns_core.errors import AttnsError, UnknownNameError
from attns_core.identity import content_hash, source_hash
from attns_core.maths import numpy_maths
from attns_core.parameters import Params
from attns_core.types import Array, Rhs, Scalar

Sampler: TypeAlias = Callable[[Params, np.random.Generator, int], Array]
"""``sample(p, rng, n)`` -> initial states, shape ``(dim, n)``."""

Exact: TypeAlias = Callable[[float, Array, Params], Array]
"""``exact(t, u0, p)`` -> the state a time ``t`` after ``u0`` of shape ``(dim, n)`` at the equation's ``t0``."""


@final
@dataclass(frozen=True, slots=True)
class Invariant:
    """A quantity that the exact flow conserves: ``value(t, u, p, m)``, one number per trajectory."""

    name: str
    value: Callable[[Scalar, Any, Any, Any], Scalar]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Equation:
    """Right-hand side, parameters, sampler of initial states, invariants and source.

    Parameters
    ----------
    name : str
        Lower-case with hyphens; unique in a registry.
    title, description : str
        One line, and a paragraph on what the problem is and what makes it hard.
    rhs : callable
        ``rhs(t, u, p, m)`` returns one derivative per component, using only ``+ - * / **``,
        comparisons and the functions of the maths namespace ``m`` (see :mod:`attns_core.maths`).
        ``u`` unpacks into components, ``p`` has the parameters as attributes.
    components : tuple of str, or callable from Params
        Names of the state's components; their number is the dimension.
    sample : callable
        ``sample(p, rng, n)`` draws ``n`` initial states, shape ``(dim, n)``, in float64.
    params : mapping
        Default parameters: ``int`` structural, ``float`` or a list of floats numeric.
    derived : callable, optional
        ``derived(params)`` -> further parameters computed from the given ones (the stiffnesses of
        ``n`` springs); an override wins over a derived value.
    invariants : tuple of Invariant
    t_end : float
        A good default time span, starting at ``t0``.
    dts : tuple of float
        Good fixed steps, coarse to fine; each divides ``t_end``.
    citation : Citation
    tags : frozenset of str
        ``chaotic``, ``stiff``, ``hamiltonian``, ``linear``, ``oscillatory``, ``polynomial``, ``paper`` ...
    exact : callable, optional
        Closed-form solution ``exact(t, u0, p)``.
    lyapunov : float, optional
        Largest Lyapunov exponent (1/time), for chaotic equations.
    array_rhs : callable, optional
        ``array_rhs(t, u, p, xp)`` on the whole state ``u`` of shape ``(dim, n)``, over an array
        namespace ``xp`` (NumPy or torch): for grids and large dimensions. List parameters arrive as
        one-dimensional arrays of that namespace, in ``u``'s dtype and on its device. Nothing may be
        written in place (tensors are differentiated and compiled). A conformance check holds it
        against ``rhs``.
    latex : tuple of str
        The formula for any parameter values, as LaTeX rows ``left &= right`` within what matplotlib's
        mathtext understands; default: the traced right-hand side, which for a family shows one member.
    log_times : (float, float), optional
        First and last of the logarithmically spaced output times that suit a stiff transient.
    period : callable, optional
        ``period(params)`` -> period of the forcing, for maps over whole periods.
    solver : str
        Name of the registered solver that makes training data, where no general one serves.
    integrators : two pairs of str and callable
        Names and functions ``(problem, rtol) -> states`` of the two integrators that make references,
        where no general ones serve. The first is trusted, the second independent of it.
    least : mapping
        Smallest allowed value of a parameter, where there is one: ``{"n": 2}``.
    overrides : mapping
        Parameters that differ from the defaults; :meth:`with_params` sets them.

    Raises
    ------
    AttnsError
        If a field is inconsistent; the message names the equation, the field and the value.
    """

    name: str
    title: str
    description: str
    rhs: Rhs
    components: tuple[str, ...] | Callable[[Params], tuple[str, ...]]
    sample: Sampler
    t_end: float
    dts: tuple[float, ...]
    citation: Citation
    params: Mapping[str, Any] = field(default_factory=dict)
    derived: Callable[[Params], Mapping[str, Any]] | None = None
    invariants: tuple[Invariant, ...] = ()
    t0: float = 0.0
    tags: frozenset[str] = frozenset()
    exact: Exact | None = None
    lyapunov: float | None = None
    array_rhs: Callable[..., Any] | None = None
    latex: tuple[str, ...] = ()
    log_times: tuple[float, float] | None = None
    period: Callable[[Params], float] | None = None
    solver: str = ""
    integrators: tuple[tuple[str, Callable[..., Array]], ...] = ()
    least: Mapping[str, float] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in self.overrides:
            if key not in self.params and key not in self._derive(self.params):
                known = [*self.params, *self._derive(self.params)]
                raise UnknownNameError(f"parameter of {self.name}", key, known)
        for key, least in self.least.items():
            given = self.overrides.get(key, least)
            if isinstance(given, int | float) and not given >= least:
                raise AttnsError(f"equation {self.name!r}: parameter {key!r} must be at least {least:g}, got {given!r}")
        # Reading the parameters and components once finds a wrong override where it is written.
        _ = self.p, self.component_names
        if not (np.isfinite(self.t_end) and self.t_end > self.t0):
            raise AttnsError(f"equation {self.name!r}: t_end must be after t0={self.t0}, got {self.t_end!r}")
        if len(self.integrators) not in (0, 2):
            raise AttnsError(f"equation {self.name!r}: references take two integrators, got {len(self.integrators)}")
        if not self.dts or any(not (np.isfinite(d) and d > 0) for d in self.dts):
            raise AttnsError(f"equation {self.name!r}: dts must be positive numbers, got {self.dts!r}")

    def _derive(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        return {} if self.derived is None else self.derived(Params(**given))

    @cached_property
    def p(self) -> Params:
        """All parameters: defaults, then derived ones, then overrides."""
        given = {**self.params, **{k: v for k, v in self.overrides.items() if k in self.params}}
        given = {k: _as_default(self.name, k, self.params[k], v) for k, v in given.items()}
        derived = dict(self._derive(given))
        for key, value in self.overrides.items():
            if key in derived:
                derived[key] = _as_default(self.name, key, derived[key], value)
        return Params(**{**given, **derived})

    @cached_property
    def component_names(self) -> tuple[str, ...]:
        """Names of the components for the present parameters."""
        return self.components(self.p) if callable(self.components) else self.components

    @property
    def dim(self) -> int:
        """Number of components."""
        return len(self.component_names)

    @property
    def label(self) -> str:
        """Name with overridden parameters: ``spring-chain[n=10]``; long lists are hashed."""
        if not self.overrides:
            return self.name
        parts = [
            f"{k}={v:g}" if isinstance(v, int | float) else f"{k}=#{content_hash(v, 6)}"
            for k, v in sorted(self.overrides.items())
        ]
        return f"{self.name}[{','.join(parts)}]"

    def with_params(self, **overrides: Any) -> "Equation":
        """The same equation with other parameter values.

        Raises
        ------
        UnknownNameError
            For a parameter the equation does not have.
        """
        return replace(self, overrides={**self.overrides, **overrides})

    def identity(self) -> dict[str, Any]:
        """What decides the mathematics: name, parameters and the source of the right-hand side."""
        return {"equation": self.name, "params": dict(self.p), "rhs": source_hash(self.rhs)}

    def initial_states(self, seed: int | Sequence[int], n: int) -> Array:
        """``n`` initial states from a seeded generator, shape ``(dim, n)``, float64.

        Raises
        ------
        AttnsError
            If ``n`` is not positive or the sampler returns the wrong shape.
        """
        if n < 1:
            raise AttnsError(f"equation {self.name!r}: number of trajectories must be at least 1, got {n}")
        u0 = np.asarray(self.sample(self.p, np.random.default_rng(seed), n), dtype=np.float64)
        if u0.shape != (self.dim, n):
            raise AttnsError(f"equation {self.name!r}: its sampler returned shape {u0.shape}, expected {(self.dim, n)}")
        return u0

    def evaluate(self, t: Any, u: Array) -> Array:
        """Right-hand side on NumPy arrays: ``u`` of shape ``(dim, n)`` -> derivatives, same shape.

        Raises
        ------
        AttnsError
            If the right-hand side raises or returns the wrong number of components.
        """
        return evaluate_rhs(self, t, u, self.p)

    def evaluate_array(self, t: Any, u: Array) -> Array:
        """As :meth:`evaluate`, through the array form where the equation has one."""
        if self.array_rhs is None:
            return self.evaluate(t, u)
        return self.array_rhs(t, u, self.p.with_arrays(lambda v: np.asarray(v, dtype=u.dtype)), np)

    def invariant_values(self, t: Any, u: Array) -> dict[str, Array]:
        """Every declared invariant on states ``(dim, n)``: name -> ``(n,)``."""
        p, m = self.p, numpy_maths()
        return {i.name: np.broadcast_to(i.value(t, u, p, m), u.shape[1:]) for i in self.invariants}


def evaluate_rhs(equation: Equation, t: Any, u: Array, p: Any) -> Array:
    """As :meth:`Equation.evaluate` with the parameters at hand (loops avoid rebuilding them)."""
    try:
        values = equation.rhs(t, u, p, numpy_maths())
    except Exception as error:
        raise AttnsError(
            f"equation {equation.name!r}: its right-hand side raised {type(error).__name__}: {error}"
        ) from error
    if len(values) != u.shape[0]:
        raise AttnsError(
            f"equation {equation.name!r}: its right-hand side returned {len(values)} components, "
            f"the state has {u.shape[0]}"
        )
    out = np.empty_like(u)
    for i, value in enumerate(values):
        out[i] = value
    return out


def _as_default(equation: str, name: str, default: Any, value: Any) -> Any:
    """``value`` with the kind (structural or numeric) of ``default``, so 10 serves for 10.0."""
    if isinstance(default, bool) or isinstance(value, bool):
        raise AttnsError(f"equation {equation!r}: parameter {name!r} cannot be a bool")
    where = f"equation {equation!r}: parameter {name!r}"
    if isinstance(default, int | np.integer):
        if isinstance(value, int | np.integer):
            return int(value)
        raise AttnsError(f"{where} must be a whole number, got {value!r}")
    if isinstance(default, float | np.floating):
        if isinstance(value, int | float | np.integer | np.floating):
            return float(value)
        raise AttnsError(f"{where} must be a number, got {value!r}")
    if np.shape(value) != np.shape(default):
        raise AttnsError(f"{where} must be a list of {len(default)} numbers, got {value!r}")
    return value

r"""Correctors: a learned term and where it enters the step, ``u1 = u + S + C``.

Every corrector of the family is one formula, so that one kernel serves them all:

.. math::

    C_i = \sum_m \phi_m(x) \Bigl(a_{mi} + \sum_v w_{mvi} V_{v,i}\Bigr), \qquad
    V_{v,i} = dt \sum_j T_{vj} k_{j,i}

with inputs ``x`` out of the state ``u``, the increment ``S`` and the method's stages ``k_j``,
features ``phi`` of the standardised inputs, offsets ``a``, weights ``w`` and values ``V`` mixed from
the stages. AttNS (additive on ``S``) and NeurVec (on ``u``) have offsets only; AttNS-m has the one
value ``V = S`` and no offset; stage attention has the stages as values.

A learned tableau reaches inside the step: each component has weights of its own for the stages before,

.. math::

    k_i = f\Bigl(t + c_i dt, u + dt \sum_{j<i} (a_{ij} + \alpha_{ij}) k_j\Bigr), \qquad
    S = dt \sum_j (b_j + \beta_j) k_j

with a vector over components for each ``alpha`` and ``beta``. It needs no operation that the method
does not need. With queries the weights depend on the state that the step begins at,

.. math::

    \alpha_{ij} = \sum_m \phi_m(x) \alpha_{mij}, \qquad \beta_j = \sum_m \phi_m(x) \beta_{mj}

with the features ``phi = (1, queries)``, where each query is a polynomial of the standardised state: stage attention in
every stage, at the cost of one multiplication and addition per query and weight, not per component.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, final

from attns_core.citation import Citation
from attns_core.errors import AttnsError

INPUTS = ("u", "S", "uS", "f", "K", "uK", "u0")
"""Input blocks: state, increment, both, first stage ``f(u)``, all stages, state and all stages, initial state.

With the initial state as input, a sequence of correctors regresses every later state on it directly.
"""

ACTIVATIONS = ("sine", "quintic", "tanh", "silu", "relu", "rational", "fsnet", "identity")
"""``quintic`` is ``z - z^3/6 + z^5/120``, sine's polynomial of degree 5: a third of its operations, for smooth maps.

A layer of it is a polynomial of degree 5 with trained directions in place of all monomials; ``margin`` keeps its inputs
from where it grows. ``relu`` is for maps with kinks.
"""

Activation: TypeAlias = Literal["sine", "quintic", "tanh", "silu", "relu", "rational", "fsnet", "identity"]

_MOST_COMPONENTS = 12
"""Above this many components a head of its own for each costs more pairs and operations than it gains."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Corrector:
    """An untrained corrector: the form of the learned term. ``replace`` it to change options.

    Parameters
    ----------
    name, title, description : str
    citation : Citation
    input : str
        One of ``INPUTS``, or ``"auto"``: chosen among ``candidates`` on held-out trajectories.
    candidates : tuple of str
        What ``"auto"`` chooses from.
    features : {"network", "polynomial"}
    width, depth : int
        Units per hidden layer and number of hidden layers (network).
    activation : str
        One of ``ACTIVATIONS``.
    degree : int
        Total degree of the monomials (polynomial).
    linear : bool
        The standardised inputs are features too (a linear skip).
    values : {"none", "increment", "stages", "differences"} or tuple of int
        What the state-dependent weights act on: nothing, ``S``, all stages, ``k_j - k_1`` (weights on
        the stages that sum to zero: a consistent form), or the named stages (1-based).
    offset : bool
        Whether there is a state-dependent offset besides the weighted values.
    head : {"auto", "component", "shared"}
        Weights per component, or one set shared by all components; ``auto`` lets recipes that can fit
        shared weights do so above twelve components.
    rank : int, optional
        Features are first projected to ``rank`` dimensions (for large systems).
    bound : float, optional
        The term is bounded smoothly by this multiple of the largest training residual.
    clip : float, optional
        The term is cut at this multiple of the largest training residual.
    lipschitz : float, optional
        Cap on the Lipschitz constant of the term with respect to its standardised inputs.
    margin : float, optional
        Inputs are limited to the range seen in training, widened by this fraction of it at both ends.
    tableau : bool
        A learned tableau in place of a term: weights inside the step, see above. Options of features and
        heads then mean nothing, but for ``degree`` and ``margin`` where there are queries.
    queries : int
        Queries of a learned tableau: polynomials of total degree ``degree`` in the state, by which its weights change
        from state to state. None: the same weights everywhere.
    recipe : str
        What trains it where nothing else is asked for, see :meth:`default_recipe`.
    tags : frozenset of str
        ``baseline``, ``paper``, ...
    """

    name: str
    title: str
    description: str
    citation: Citation
    input: str = "S"
    candidates: tuple[str, ...] = ("u", "S", "uS", "K", "uK")
    features: Literal["network", "polynomial"] = "network"
    width: int = 64
    depth: int = 1
    activation: Activation = "sine"
    degree: int = 1
    linear: bool = True
    values: str | tuple[int, ...] = "none"
    offset: bool = True
    head: Literal["auto", "component", "shared"] = "auto"
    rank: int | None = None
    bound: float | None = None
    clip: float | None = None
    lipschitz: float | None = None
    margin: float | None = None
    tableau: bool = False
    queries: int = 0
    recipe: str = "lsq"
    tags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.input != "auto" and self.input not in INPUTS:
            raise AttnsError(f"corrector {self.name!r}: input must be one of {(*INPUTS, 'auto')}, got {self.input!r}")
        if self.activation not in ACTIVATIONS:
            raise AttnsError(f"corrector {self.name!r}: activation must be one of {ACTIVATIONS}")
        for field_name in ("width", "depth", "degree"):
            if getattr(self, field_name) < 1:
                raise AttnsError(f"corrector {self.name!r}: {field_name} must be at least 1")
        if self.margin is not None and not self.margin >= 0:
            raise AttnsError(f"corrector {self.name!r}: margin must be at least 0, got {self.margin!r}")
        of_term = ("bound", "clip", "lipschitz") if self.queries else ("bound", "clip", "lipschitz", "margin")
        limits = [name for name in of_term if getattr(self, name) is not None]
        if self.tableau and limits:
            raise AttnsError(
                f"corrector {self.name!r}: {', '.join(limits)} limit a term, and a learned tableau has none"
            )
        if self.queries < 0 or (self.queries and not self.tableau):
            raise AttnsError(
                f"corrector {self.name!r}: queries must be at least 0, and more only with tableau, got {self.queries!r}"
            )
        if self.queries and self.input != "u":
            raise AttnsError(
                f"corrector {self.name!r}: queries read the state that a step begins at (input 'u'), got {self.input!r}"
            )
        if not self.offset and self.values == "none":
            raise AttnsError(f"corrector {self.name!r}: without offset and without values there is no term")

    def with_options(self, **options: Any) -> "Corrector":
        """The same corrector with other options; unknown options are an error that lists the known."""
        known = set(self.__dataclass_fields__) - {"name", "title", "description", "citation", "recipe", "tags"}
        for key in options:
            if key not in known:
                raise AttnsError(f"corrector {self.name!r} has no option {key!r}; options: {', '.join(sorted(known))}")
        return replace(self, **options)

    def shares_weights(self, dim: int) -> bool:
        """Whether one set of weights on the values serves all ``dim`` components."""
        many = self.head == "auto" and dim > _MOST_COMPONENTS
        return self.values != "none" and (many or self.head == "shared")

    def default_recipe(self, dim: int) -> str:
        """The recipe for ``dim`` components where none is asked for: least squares for shared and low-rank heads."""
        if self.tableau:
            return self.recipe
        return "lsq" if self.shares_weights(dim) or self.rank is not None else self.recipe

    def identity(self) -> dict[str, Any]:
        """What decides the outcome of training it: all options."""
        skip = {"title", "description", "citation", "recipe", "tags"}
        # Left out where it is off: ids of what was trained before the option existed stay.
        skip |= {name for name in ("tableau", "queries") if not getattr(self, name)}
        return {k: getattr(self, k) for k in self.__dataclass_fields__ if k not in skip}

"""Matrices: what to run, written in TOML and validated before anything starts.

A matrix is a union of blocks; a block is the cross product of its axes. Thinned designs are several
blocks. Unknown keys are errors, see :mod:`attns_harness.matrix_file`.
"""

from typing import Annotated, Any, Literal, TypeAlias, final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=1)]
Seed: TypeAlias = Annotated[int, Field(ge=0)]


def _counted(value: Any) -> Any:
    """A fraction between 0 and 1 stands for that part of the full training set."""
    if isinstance(value, float) and 0 < value < 1:
        from attns_core.dataset import fraction_of_full

        return fraction_of_full(value)
    return value


TrainingSize: TypeAlias = Annotated[int, BeforeValidator(_counted), Field(ge=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_min_length=1)


def is_pattern(name: str) -> bool:
    """Whether a name in a matrix stands for all registered names of its shape."""
    return any(c in name for c in "*?[")


def _named(value: Any) -> Any:
    """A bare name serves where a table with a name is expected."""
    return {"name": value} if isinstance(value, str) else value


@final
class Choice(BaseModel):
    """A corrector, a recipe or a coordinate by name; all other keys are its options, checked against the object."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Annotated[str, Field(min_length=1)]

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


Choices: TypeAlias = Annotated[Choice, BeforeValidator(_named)]


@final
class EquationAxis(_Strict):
    """One equation with everything that turns it into a problem.

    ``name`` may be a pattern. ``dts`` are fixed steps; ``dt_factors`` multiply the equation's coarsest
    good step. Both default to the block's, and these to the equation's own list; ``n_trajectories`` to
    the block's. With ``log_points`` states are saved at so many logarithmically spaced times, over the
    equation's ``log_times`` or these. With ``train_data`` correctors are trained on these trajectories
    (``.npz``, CSV or Parquet, relative to the matrix file; schema in :mod:`attns_core.trajectories`): on all
    of them, or on the first ``train_trajectories``. With ``coordinates`` methods step, and correctors learn, in
    other coordinates: ``"log"`` for all components, or a table of components, each with a name or a table of
    ``name`` and ``floor``. Problem, reference and errors are those of the equation's own components.
    """

    name: str
    params: dict[str, float | int | list[float]] = {}
    t_end: Positive | None = None
    n_trajectories: Count | None = None
    save_every: Positive | None = None
    log_points: Annotated[int, Field(ge=2)] | None = None
    log_times: tuple[Positive, Positive] | None = None
    dts: list[Positive] | None = None
    dt_factors: list[Positive] | None = None
    train_data: str | None = None
    coordinates: str | dict[str, Choices] | None = None

    @model_validator(mode="after")
    def _one_grid(self) -> "EquationAxis":
        if self.log_points is not None and (self.save_every is not None or self.t_end is not None):
            raise ValueError("log_points decides the saved times: no save_every, and log_times in place of t_end")
        if self.log_times is not None and self.log_points is None:
            raise ValueError("log_times need log_points")
        if self.train_data is not None and self.coordinates is not None:
            raise ValueError("train_data are states of the equation's own components: leave out coordinates")
        return self


Equations: TypeAlias = Annotated[EquationAxis, BeforeValidator(_named)]


@final
class Block(_Strict):
    """A cross product of axes.

    ``methods`` run on every backend with every corrector; ``solvers`` are black boxes with neither, and
    those that learn are trained on ``train_trajectories`` of their own, without ``noise``.
    Names of equations, methods and solvers may be patterns: ``"*"`` stands for everything registered,
    ``"scipy-*"`` for what begins so (the method ``zero`` aside); an equation that is also given by name
    is left out of a pattern.
    ``rtols`` add adaptive runs, ``steps_per_save`` runs with so many equal steps in every saving interval,
    ``frozen`` runs on the steps of a pilot with these tolerances, ``refine`` times as many; with any of
    them alone no fixed steps are run. Correctors meet fixed steps and ``steps_per_save``; for the latter
    each step has weights of its own, trained on ``train_states``. ``deadline_s`` takes the place of the
    matrix's; of a cell in several blocks the longest holds. With ``timed = false`` a block is about errors alone;
    ``timed_trajectories`` is the timed ensemble where the matrix's would take minutes (of a cell in several
    blocks the largest holds; compare times of a problem in equal ensembles).
    In ``train_trajectories`` a fraction below 1 is one of the full training set.
    """

    name: str = ""
    equations: Annotated[list[Equations], Field(min_length=1)]
    methods: list[str] = []
    solvers: list[str] = []
    n_trajectories: Count = 64
    correctors: Annotated[list[Choices], Field(min_length=1)] = [Choice(name="none")]
    recipes: list[Choices] = []
    train_trajectories: list[TrainingSize] = []
    train_t_end: Positive | None = None
    noise: Annotated[list[NonNegative], Field(min_length=1)] = [0.0]
    backends: Annotated[list[str], Field(min_length=1)] = ["numba"]
    dtypes: Annotated[list[Literal["float64", "float32"]], Field(min_length=1)] = ["float64"]
    dts: list[Positive] | None = None
    dt_factors: list[Positive] | None = None
    rtols: list[Positive] = []
    steps_per_save: list[Count] = []
    frozen: list[Positive] = []
    refine: Annotated[list[Positive], Field(min_length=1)] = [1.0]
    train_states: Annotated[list[Literal["predicted", "exact"]], Field(min_length=1)] = ["predicted"]
    deadline_s: Positive | None = None
    timed: bool = True
    timed_trajectories: Count | None = None
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0]

    @model_validator(mode="after")
    def _complete(self) -> "Block":
        if not self.methods and not self.solvers:
            raise ValueError("a block needs methods, solvers or both")
        if self.dts is not None and self.dt_factors is not None:
            raise ValueError("give dts or dt_factors, not both")
        learned = [c.name for c in self.correctors if c.name != "none"]
        if learned and not self.train_trajectories and any(e.train_data is None for e in self.equations):
            raise ValueError(f"correctors {learned} need train_trajectories, or train_data on every equation")
        return self


@final
class Limits(_Strict):
    """What one cell may use before it is stopped.

    ``memory_mb`` limits the private writable memory that a cell adds to its worker's; 0 lifts the limit.
    """

    deadline_s: Positive = 60.0
    train_deadline_s: Positive = 900.0
    memory_mb: Annotated[int, Field(ge=0)] = 4096


@final
class Timing(_Strict):
    """How cells are timed, alone on one core after all others.

    Sampling stops at ``budget_s`` seconds per cell, or earlier once the standard error falls below
    ``precision`` of the median, but not before ``min_samples`` values. A row is ``unstable`` when the
    interquartile range exceeds ``unstable`` of the median.

    The timed ensemble has ``n_trajectories`` of its own where they are given, apart from the evaluated
    one. All cells are sampled once in each of ``rounds`` passes, so that a slow spell of the machine
    falls on all of them alike. With ``seeds`` only their cells are timed; cells that differ in the seed
    alone do the same work and share the time.
    """

    enabled: bool = True
    n_trajectories: Count | None = None
    rounds: Count = 1
    seeds: list[Seed] = []
    budget_s: Positive = 0.3
    min_samples: Annotated[int, Field(ge=2)] = 5
    max_samples: Count = 200
    precision: Positive = 0.01
    unstable: Positive = 0.1
    threads: Count = 1
    deadline_s: Positive = 120.0


@final
class Regime(_Strict):
    """A problem with the errors at which learned and classical solvers of the run are compared on it.

    Parameters
    ----------
    equation, params, t_end
        Which problem of the matrix it is; ``t_end`` where the matrix has several.
    levels : list of float
        Errors that both sides must deliver.
    target : float, optional
        The ratio of times aimed at; absent for controls, where none is expected.
    bars : table
        Further solvers by name, each with a target of its own against it alone; a baseline that learned, such
        as a fitted force, counts as a bar and on neither side else.
    break_even : float, optional
        Largest number of trajectories aimed at.
    """

    name: str
    equation: str
    params: dict[str, float | int | list[float]] = {}
    t_end: Positive | None = None
    levels: Annotated[list[Positive], Field(min_length=1)]
    target: Positive | None = None
    bars: dict[str, Positive] = {}
    break_even: Positive | None = None


@final
class Quick(_Strict):
    """What ``attns run --quick`` keeps of the matrix: blocks by name or pattern, and values of axes.

    Empty means all. ``n_trajectories`` caps the evaluated ensembles.
    """

    blocks: list[str] = []
    methods: list[str] = []
    solvers: list[str] = []
    train_trajectories: list[TrainingSize] = []
    noise: list[NonNegative] = []
    seeds: list[Seed] = []
    n_trajectories: Count | None = None


@final
class Analysis(_Strict):
    """What reports of the run compare by; everything has a default that suits the run.

    ``error`` is a column of errors, ``cost`` an axis, ``levels`` the errors to compare at. ``stability``
    measures the intervals of absolute stability of the run's solvers, and with ``stable_steps`` reports
    find the largest stable step of each of them on every equation by bisection, for the first
    ``stable_steps`` trajectories.
    """

    error: str | None = None
    cost: Literal["time", "operations", "nfe", "steps"] | None = None
    levels: Annotated[list[Positive], Field(min_length=1)] | None = None
    stability: bool = True
    stable_steps: Annotated[int, Field(ge=0)] = 0


@final
class Matrix(_Strict):
    """A whole matrix file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    title: str = ""
    description: str = ""
    plugins: list[str] = []
    limits: Limits = Limits()
    timing: Timing = Timing()
    quick: Quick | None = None
    analysis: Analysis = Analysis()
    regime: list[Regime] = []
    block: Annotated[list[Block], Field(min_length=1)]

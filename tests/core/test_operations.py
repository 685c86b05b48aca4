"""The count of operations: by hand for small cases, and what it must include."""

from typing import Any

import numpy as np
import pytest
from attns_plugins.correctors import CORRECTORS
from attns_plugins.equations.brusselator import BRUSSELATOR
from attns_plugins.equations.henon_heiles import HENON_HEILES
from attns_plugins.equations.lorenz63 import LORENZ63
from attns_plugins.methods.dopri5 import DOPRI5
from attns_plugins.methods.euler import EULER
from attns_plugins.methods.linearly_implicit_euler import LINEARLY_IMPLICIT_EULER
from attns_plugins.methods.rk4 import RK4
from attns_plugins.methods.stormer_verlet import STORMER_VERLET
from attns_plugins.recipes.lsq import LSQ

from attns_core import OneStepSolver, Problem, build_registry
from attns_core.control import Adaptive, FixedStep, StepControl
from attns_core.coordinates import LOGARITHM, SQUARE_ROOT, ChangeOfCoordinates, SolverInCoordinates, logarithm
from attns_core.equation import Equation
from attns_core.maths import COST
from attns_core.method import AbstractMethod
from attns_core.operations import CONTROL, SCALE, _elimination, conversion, operations
from attns_core.tracing import trace
from attns_core.trained_corrector import Layer, TrainedCorrector
from attns_core.training import train


def counted(
    equation: Equation, method: AbstractMethod, control: StepControl, corrector: TrainedCorrector | None = None
) -> tuple[Any, Any]:
    problem = Problem.sample(equation, n=3, seed=0, t_end=1.0)
    solver = OneStepSolver(method=method, backend=build_registry().backend("numpy"), corrector=corrector)
    solution = solver.prepare(problem, control)()
    return operations(problem, method, control, corrector, solution), solution


@pytest.mark.parametrize(("method", "coefficients", "evaluations"), [(EULER, 1, 1), (RK4, 3 + 4, 4)])
def test_a_fixed_step_counts_right_hand_sides_and_coefficients(
    method: AbstractMethod, coefficients: int, evaluations: int
) -> None:
    found, _ = counted(LORENZ63, method, FixedStep(0.01))
    np.testing.assert_array_equal(found, 100 * (evaluations * trace(LORENZ63).operations + 2 * 3 * coefficients))


def test_rejected_attempts_and_error_estimates_cost() -> None:
    found, solution = counted(LORENZ63, DOPRI5, Adaptive(rtol=1e-6, atol=1e-6))
    # Dormand-Prince: 15 coefficients in rows 2 to 6 (the last row is b), 5 in b, 6 in the error estimate.
    attempt = 2 * 3 * (15 + 5 + 6) + 3 * SCALE + CONTROL
    np.testing.assert_array_equal(
        found, solution.nfe * trace(LORENZ63).operations + (solution.n_steps + solution.n_rejected) * attempt
    )


def test_a_splitting_evaluates_halves() -> None:
    found, _ = counted(HENON_HEILES, STORMER_VERLET, FixedStep(0.01))
    # Kick, drift, kick: the accelerations' 7 operations twice, velocities nothing; two operations a component.
    np.testing.assert_array_equal(found, 100 * (2 * (trace(HENON_HEILES).operations + 4) + 4))


def test_elimination_counts_fill_in() -> None:
    tridiagonal = np.eye(4) + np.eye(4, k=1) + np.eye(4, k=-1)
    # Diagonal 4, four reciprocals of 8, and at three pivots one row with one entry: a product and two for it.
    assert _elimination(tridiagonal) == (4 + 4 * 8 + 3 * 3, 2 * 10 - 4)
    arrow = np.eye(4)
    arrow[0] = arrow[:, 0] = 1
    # The first pivot fills everything: as dense as can be.
    assert _elimination(arrow) == _elimination(np.ones((4, 4)))


def test_an_implicit_step_pays_for_jacobian_and_elimination() -> None:
    implicit, _ = counted(BRUSSELATOR, LINEARLY_IMPLICIT_EULER, FixedStep(0.01))
    explicit, _ = counted(BRUSSELATOR, EULER, FixedStep(0.01))
    assert implicit[0] - explicit[0] >= 100 * (trace(BRUSSELATOR).jacobian_program.operations + 20)


def test_correctors_count_by_hand() -> None:
    # 2 inputs, 3 sine units, linear skip, offset for 2 components.
    sine = TrainedCorrector(
        input="u", mean=np.zeros(2), scale=np.ones(2), offset=np.ones((6, 2)),
        layers=(Layer(weight=np.ones((3, 2)), bias=np.zeros(3), activation="sine", shape=np.zeros(0)),),
    )  # fmt: skip
    assert sine.operations == 2 * 2 + (2 * 6 + 20 * 3) + 2 * 12
    # One value S mixed from 4 stages, linear features, own weights: AttNS-m's form without a network.
    scaled = TrainedCorrector(
        input="S", mean=np.zeros(2), scale=np.ones(2), weights=np.ones((3, 1, 2)), values=np.full((1, 4), 0.25),
        clip=np.ones(2),
    )  # fmt: skip
    assert scaled.operations == 4 + 2 * 6 + 2 * 2 * (4 + 1) + 2 * 2
    # Shared weights alone: the state's size follows from the inputs (state and all four stages).
    shared = TrainedCorrector(
        input="uK", mean=np.zeros(10), scale=np.ones(10), weights=np.ones((11, 4, 1)), values=np.eye(4)
    )
    assert shared.dim == 2
    assert shared.operations == 20 + 2 * 44 + 2 * 2 * (4 + 4)


def test_corrected_steps_cost_the_network_and_closed_gates_nothing() -> None:
    form = next(c for c in CORRECTORS if c.name == "stage-attention").with_options(width=6, input="u")
    trained = train(
        HENON_HEILES, RK4, form, LSQ.with_options(bandwidths=(0.5,)), dt=0.25, trajectories=3, t_end=4.0
    ).corrector
    assert trained.active
    bare, _ = counted(HENON_HEILES, RK4, FixedStep(0.25))
    corrected, _ = counted(HENON_HEILES, RK4, FixedStep(0.25), trained)
    np.testing.assert_array_equal(corrected - bare, 4 * (trained.operations + 4))


def test_every_method_that_ships_has_a_count() -> None:
    registry = build_registry()
    backend = registry.backend("numpy")
    for name in registry.names("method"):
        method = registry.method(name)
        solver = OneStepSolver(method=method, backend=backend)
        problem = Problem.sample(HENON_HEILES, n=1, seed=0, t_end=0.5)
        control = FixedStep(0.05)
        assert solver.supports(problem, control) is None, name
        found = operations(problem, method, control, None, solver.prepare(problem, control)())
        assert found is not None, name
        if method.order > 0:  # the empty increment evaluates nothing
            assert found[0] >= 10 * trace(HENON_HEILES).operations, name


def test_what_cannot_be_traced_has_no_count() -> None:
    def table_lookup(t: Any, u: Any, p: Any, m: Any) -> Any:
        return (np.interp(u[0], [-10.0, 10.0], [10.0, -10.0]),)

    equation = Equation(
        name="looked-up", title="A table", description="Cannot be traced.", rhs=table_lookup, components=("x",),
        sample=lambda p, rng, n: np.ones((1, n)), t_end=1.0, dts=(0.1,), citation=LORENZ63.citation,
    )  # fmt: skip
    found, _ = counted(equation, EULER, FixedStep(0.1))
    assert found is None


def test_other_coordinates_cost_their_functions_at_every_evaluation_and_saved_state() -> None:
    change = ChangeOfCoordinates(equation=BRUSSELATOR, coordinates={"x": LOGARITHM, "y": logarithm(floor=0.5)})
    problem = Problem.sample(BRUSSELATOR, n=3, seed=0, t_end=1.0, save_every=0.25)
    inner = OneStepSolver(method=RK4, backend=build_registry().backend("numpy"))
    solution = SolverInCoordinates(change, inner).prepare(problem, FixedStep(0.05))()
    found = operations(problem, RK4, FixedStep(0.05), None, solution, change=change)
    # Two exponentials and the floor's subtraction for each of five saved states, the initial ones among them.
    back = 2 * COST["exp"] + 1
    assert conversion(change) == back
    evaluation = trace(change.transformed).operations
    # Beyond the formulas themselves: the components from the coordinates, and two slopes to divide by.
    assert evaluation >= trace(BRUSSELATOR).operations + back + 2
    np.testing.assert_array_equal(found, 20 * (4 * evaluation + 2 * 2 * (3 + 4)) + 5 * back)
    assert (found > operations(problem, RK4, FixedStep(0.05), None, solution)).all()
    roots = ChangeOfCoordinates(equation=BRUSSELATOR, coordinates={"y": SQUARE_ROOT})
    assert conversion(roots) == 1

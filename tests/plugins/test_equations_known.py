"""Equations against what is known of them: closed orbits, published values, physics, parameters."""

from typing import Any

import numpy as np
import pytest
import sympy as sp
from attns_plugins.equations.hires import START
from scipy.integrate import solve_ivp

from attns_core import AttnsError, Equation, Problem, UnknownNameError, build_registry
from attns_core.reference import make_reference
from attns_core.tracing import trace

REGISTRY = build_registry(only=["equations"])


def solve(equation: Equation, u0: Any, t_end: float, **options: Any) -> Any:
    options = {"method": "DOP853", "rtol": 1e-13, "atol": 1e-13, **options}
    return solve_ivp(lambda t, y: equation.evaluate(t, y[:, None])[:, 0], (0.0, t_end), u0, **options).y[:, -1]


def test_arenstorf_orbit_closes() -> None:
    equation = REGISTRY.equation("arenstorf", spread=0.0)
    u0 = equation.initial_states(0, 1)[:, 0]
    end = solve(equation, u0, equation.t_end)
    np.testing.assert_allclose(end, u0, atol=1e-6)
    early = solve(equation, u0, 0.999 * equation.t_end)
    assert np.abs(early - u0).max() > 1e-2


def test_kepler_returns_after_one_period() -> None:
    equation = REGISTRY.equation("kepler")
    u0 = equation.initial_states(0, 200)
    np.testing.assert_allclose(equation.exact(2 * np.pi, u0, equation.p), u0, atol=1e-12)
    half = equation.exact(np.pi, u0, equation.p)
    # At aphelion the planet is opposite to perihelion, at distance 1 + e of a unit semi-axis.
    np.testing.assert_allclose(np.hypot(*half[:2]) + np.hypot(*u0[:2]), 2.0, atol=1e-12)


def test_pleiades_reaches_the_published_positions() -> None:
    equation = REGISTRY.equation("pleiades", spread=0.0)
    end = solve(equation, equation.initial_states(0, 1)[:, 0], 3.0)
    published = [0.3706139143970502, 3.237284092057233, -3.222559032418324, 0.6597091455775310]
    np.testing.assert_allclose(end[:4], published, rtol=1e-8)


def test_robertson_at_forty() -> None:
    equation = REGISTRY.equation("robertson")
    end = solve(equation, [1.0, 0.0, 0.0], 40.0, method="Radau", rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(end, [0.7158271, 9.185535e-6, 0.2841638], rtol=2e-6)


def test_hires_reaches_the_published_state() -> None:
    equation = REGISTRY.equation("hires")
    end = solve(equation, START, equation.t_end, method="Radau", rtol=1e-9, atol=1e-13)
    published = [0.7371312573325668e-3, 0.1442485726316185e-3, 0.5888729740967575e-4, 0.1175651343283149e-2]
    np.testing.assert_allclose(end[:4], published, rtol=1e-5)


def test_oregonator_repeats_itself() -> None:
    equation = REGISTRY.equation("oregonator")

    def after(t: float) -> Any:
        return np.log(solve(equation, [1.0, 2.0, 3.0], t, method="Radau", rtol=1e-6, atol=1e-9))

    # The published period of the limit cycle is about 302.86 for these constants.
    np.testing.assert_allclose(after(330.0 + 302.86), after(330.0), atol=2e-2)


def test_argon_starts_as_published() -> None:
    equation = REGISTRY.equation("lennard-jones", spread=0.0)
    energy = equation.invariant_values(0.0, equation.initial_states(0, 1))["energy"][0]
    # Hairer, Lubich and Wanner: -1260.2 Boltzmann constants times kelvin; epsilon is 119.8.
    assert energy * 119.8 == pytest.approx(-1260.2, rel=2e-3)


def test_outer_planets_keep_their_years() -> None:
    equation = REGISTRY.equation("outer-solar-system", spread=0.0)
    u0 = equation.initial_states(0, 1)[:, 0]
    after = solve(equation, u0, 4332.6, rtol=1e-10, atol=1e-10)
    jupiter = [1, 7, 13]
    relative, start = after[jupiter] - after[[0, 6, 12]], u0[jupiter] - u0[[0, 6, 12]]
    # One sidereal year of Jupiter brings it back, but for what the other planets do to it.
    assert np.linalg.norm(relative - start) < 0.05 * np.linalg.norm(start)


def test_trap_derives_from_a_potential() -> None:
    equation = REGISTRY.equation("quadrupole-trap")
    jacobian = sp.Matrix(trace(equation).jacobian)
    assert sp.simplify(jacobian[2, 1] - jacobian[3, 0]) == 0
    # A quadrupole plus octupole field obeys Laplace's equation.
    assert sp.simplify(jacobian[2, 0] + jacobian[3, 1]) == 0


@pytest.mark.parametrize("name", ["driven-oscillator", "logistic-forced", "quadrupole-trap", "stick-slip"])
def test_forcing_has_the_declared_period(name: str) -> None:
    equation = REGISTRY.equation(name)
    period, u = equation.period(equation.p), equation.initial_states(0, 5)
    now = equation.evaluate(0.4, u)
    np.testing.assert_allclose(equation.evaluate(0.4 + period, u), now, atol=1e-12)
    assert np.abs(equation.evaluate(0.4 + period / 2, u) - now).max() > 1e-2


def test_reference_of_a_forced_equation_from_another_time() -> None:
    equation = REGISTRY.equation("driven-oscillator")
    u0 = equation.initial_states(0, 1)
    whole = make_reference(Problem(equation=equation, u0=u0, t_save=np.array([0.0, 1.0, 2.0])))
    rest = make_reference(Problem(equation=equation, u0=whole.u[1], t_save=np.array([1.0, 2.0])))
    np.testing.assert_allclose(rest.u[-1], whole.u[-1], rtol=1e-11)
    assert rest.uncertainty < 1e-10


def test_stick_slip_sticks_and_slips() -> None:
    equation = REGISTRY.equation("stick-slip", masses=2)
    p = equation.p
    u0 = equation.initial_states(0, 1)[:, 0]
    found = solve_ivp(
        lambda t, y: equation.evaluate(t, y[:, None])[:, 0], (0.0, 40.0), u0, method="Radau", rtol=1e-7, max_step=0.05
    )
    on_belt = np.abs(found.y[2:] - p.belt) < 0.01
    duration = np.diff(found.t)
    for stuck in on_belt[:, :-1]:
        assert 0.05 < duration[stuck].sum() / 40.0 < 0.95


def test_ripples_are_drawn_from_their_seed() -> None:
    first, again, other = (REGISTRY.equation("fourier-potential", n_modes=16, seed=s) for s in (1, 1, 2))
    assert first.p == again.p
    assert first.p.height != other.p.height
    flat = REGISTRY.equation("fourier-potential", strength=0.0)
    u = flat.initial_states(0, 4)
    np.testing.assert_array_equal(flat.evaluate(0.0, u)[2:], -u[:2])


def test_nonlinear_chain_becomes_linear() -> None:
    equation = REGISTRY.equation("fput-chain", alpha=0.0, n=8)
    site = np.arange(1, 9) / 9
    mode = np.concatenate([np.sin(3 * np.pi * site), np.zeros(8)])[:, None]
    frequency = 2 * np.sin(3 * np.pi / 18)
    np.testing.assert_allclose(equation.evaluate(0.0, mode)[8:], -(frequency**2) * mode[:8], atol=1e-14)


@pytest.mark.parametrize(("name", "dt", "t_end", "n"), [("lorenz-63", 0.02, 40.0, 64), ("lorenz-96", 0.05, 20.0, 24)])
def test_perturbations_grow_at_the_declared_rate(name: str, dt: float, t_end: float, n: int) -> None:
    equation = REGISTRY.equation(name)

    def step(u: Any) -> Any:
        k1 = equation.evaluate_array(0.0, u)
        k2 = equation.evaluate_array(0.0, u + dt / 2 * k1)
        k3 = equation.evaluate_array(0.0, u + dt / 2 * k2)
        k4 = equation.evaluate_array(0.0, u + dt * k3)
        return u + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    u = equation.initial_states(0, n)
    v = u + 1e-7 * np.random.default_rng(1).normal(size=u.shape)
    growth = []
    for i in range(round(t_end / dt)):
        u, v = step(u), step(v)
        if i % 10 == 9:
            distance = np.linalg.norm(v - u, axis=0)
            growth.append(np.log(distance / 1e-7))
            v = u + (v - u) * 1e-7 / distance
    rate = np.mean(growth[len(growth) // 4 :]) / (10 * dt)
    assert rate == pytest.approx(equation.lyapunov, rel=0.06)


def test_logarithmic_output_times() -> None:
    problem = Problem.sample_log(REGISTRY.equation("robertson"), points=8, n=3, seed=1)
    assert problem.u0.shape == (3, 3)
    np.testing.assert_allclose(problem.t_save, [0.0, *10.0 ** np.arange(-2, 6)])
    with pytest.raises(AttnsError, match="'kepler' declares no log_times"):
        Problem.sample_log(REGISTRY.equation("kepler"), points=8)
    with pytest.raises(AttnsError, match="at least 2, got 1"):
        Problem.sample_log(REGISTRY.equation("robertson"), points=1)


def test_shear_flow_nonlinearity_conserves_energy() -> None:
    equation = REGISTRY.equation("nine-mode-shear-flow")
    u = np.random.default_rng(0).normal(size=(9, 20))
    quadratic = (equation.evaluate(0.0, u) + equation.evaluate(0.0, -u)) / 2 - equation.evaluate(0.0, 0 * u)
    assert np.abs(quadratic).max() > 1
    np.testing.assert_allclose((u * quadratic).sum(0), 0.0, atol=1e-13)
    laminar = np.eye(9)[:, :1]
    np.testing.assert_array_equal(equation.evaluate(0.0, laminar), 0.0)


def test_inviscid_burgers_conserves_energy() -> None:
    equation = REGISTRY.equation("burgers", viscosity=0.0, n=32)
    u = equation.initial_states(0, 5)
    np.testing.assert_allclose((u * equation.evaluate(0.0, u)).sum(0), 0.0, atol=1e-12)


@pytest.mark.parametrize("name", ["burgers", "kuramoto-sivashinsky"])
def test_grid_equations_converge_to_the_differential_equation(name: str) -> None:
    def defect(n: int) -> float:
        equation = REGISTRY.equation(name, n=n, length=2 * np.pi)
        x = 2 * np.pi * np.arange(n) / n
        u, ux, uxx, uxxxx = np.sin(x), np.cos(x), -np.sin(x), np.sin(x)
        exact = -u * ux + 0.05 * uxx if name == "burgers" else -u * ux - uxx - uxxxx
        return float(np.abs(equation.evaluate(0.0, u[:, None])[:, 0] - exact).max())

    assert defect(64) / defect(128) == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize("links", [1, 2, 3, 4, 8])
def test_k_link_pendulum_solves_its_dense_system(links: int) -> None:
    equation = REGISTRY.equation("k-link-pendulum", K=links)
    u = equation.initial_states(1, 1) + 0.3 * np.random.default_rng(0).normal(size=(2 * links, 1))
    theta, omega = u[:links, 0], u[links:, 0]
    i, j = np.indices((links, links))
    weight, difference = links - np.maximum(i, j), theta[:, None] - theta[None, :]
    b = -(weight * np.sin(difference)) @ omega**2 - 9.81 * (links - np.arange(links)) * np.sin(theta)
    expected = np.linalg.solve(weight * np.cos(difference), b)
    np.testing.assert_allclose(equation.evaluate(0.0, u)[links:, 0], expected, rtol=1e-11)
    np.testing.assert_allclose(equation.evaluate_array(0.0, u)[links:, 0], expected, rtol=1e-11)


def test_k_link_pendulum_conserves_energy_with_eight_links() -> None:
    equation = REGISTRY.equation("k-link-pendulum", K=8, amplitude=np.pi / 16)
    u0 = equation.initial_states(0, 1)
    assert np.abs(u0).max() <= np.pi / 16
    end = solve(equation, u0[:, 0], 1.0, rtol=1e-10)[:, None]
    before, after = (equation.invariant_values(0.0, u)["energy"][0] for u in (u0, end))
    assert abs(after - before) < 1e-8 * abs(before)
    assert np.abs(end - u0).max() > 0.05


def test_long_eliminations_are_traced_in_linear_size() -> None:
    traced = trace(REGISTRY.equation("k-link-pendulum", K=8))
    assert traced.operations < 1500
    assert len(traced.program.assignments) < 1000


def test_spring_chain_parameters() -> None:
    equation = REGISTRY.equation("spring-chain")
    assert (len(equation.p.k), len(equation.p.m), equation.dim) == (21, 20, 40)
    assert min(equation.p.k) >= 1.0
    assert min(equation.p.m) >= 0.2
    other = equation.with_params(seed=1)
    assert other.p.k != equation.p.k
    assert other.label == "spring-chain[seed=1]"
    uniform = equation.with_params(n=3, k=[1.0] * 4, m=[1, 1, 1])
    assert uniform.p.k == (1.0,) * 4
    frequencies = np.sort(np.abs(np.linalg.eigvals(uniform.evaluate(0.0, np.eye(6))).imag))[::2]
    np.testing.assert_allclose(frequencies, 2 * np.sin(np.arange(1, 4) * np.pi / 8), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("spring-chain", {"n": 0}, "'n' must be at least 1, got 0"),
        ("spring-chain", {"n": 2.5}, "'n' must be a whole number, got 2.5"),
        ("spring-chain", {"k": [1.0, 2.0]}, "'k' must be a list of 21 numbers"),
        ("spring-chain", {"m": 3.0}, "'m' must be a list of 20 numbers"),
        ("lorenz-96", {"n": 3}, "'n' must be at least 4, got 3"),
        ("kuramoto-sivashinsky", {"n": 4}, "'n' must be at least 5"),
        ("k-link-pendulum", {"g": "heavy"}, "'g' must be a number, got 'heavy'"),
        ("k-link-pendulum", {"g": float("nan")}, "'g' must be finite"),
        ("k-link-pendulum", {"K": True}, "cannot be a bool"),
    ],
)
def test_wrong_parameters_say_what_is_wrong(name: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(AttnsError, match=message):
        REGISTRY.equation(name, **params)


def test_unknown_parameter_names_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'rho'"):
        REGISTRY.equation("lorenz-63", rhoo=3.0)


@pytest.mark.parametrize(("name", "key", "values"), [("spring-chain", "n", (1, 10)), ("lorenz-96", "n", (4, 10))])
def test_sizes_can_be_chosen(name: str, key: str, values: tuple[int, ...]) -> None:
    for value in values:
        equation = REGISTRY.equation(name, **{key: value})
        problem = Problem.sample(equation, n=3)
        assert problem.u0.shape == (equation.dim, 3)
        assert trace(equation).program.outputs.__len__() == equation.dim
        np.testing.assert_allclose(
            equation.evaluate_array(0.0, problem.u0), equation.evaluate(0.0, problem.u0), rtol=1e-12, atol=1e-12
        )

"""Matrices: what is accepted, what is refused and in which words, and how they expand."""

from pathlib import Path

import pytest
from attns_harness.cells import Cell
from attns_harness.matrix_file import load_matrix, parse_matrix
from attns_harness.plan import Plan, make_plan
from attns_harness.quick import quick

from attns_core.errors import AttnsError, UnknownNameError
from attns_core.registry import Registry, build_registry

BLOCK = """
name = "small"
[[block]]
equations = ["henon-heiles", { name = "spring-chain", params = { n = 4 }, t_end = 2 }]
methods = ["euler", "rk4"]
backends = ["numpy"]
dt_factors = [1, 0.5]
seeds = [0, 1]
"""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return build_registry()


def plan(text: str, registry: Registry) -> Plan:
    return make_plan(parse_matrix(text).matrix, registry)


def test_cross_product_and_shared_references(registry: Registry) -> None:
    made = plan(BLOCK, registry)
    assert len(made.cells) == 2 * 2 * 2 * 2
    assert len(made.artefacts) == 2 * 2
    assert len({p.id for p in made.cells}) == len(made.cells)


def test_a_cell_spanned_by_two_blocks_is_one_cell(registry: Registry) -> None:
    again = BLOCK[BLOCK.index("[[block]]") :].replace('"euler", "rk4"', '"rk4", "heun"')
    assert len(plan(BLOCK + again, registry).cells) == 2 * 3 * 2 * 2


def test_a_fraction_is_a_part_of_the_full_training_set() -> None:
    text = BLOCK + 'correctors = ["linear"]\ntrain_trajectories = [0.01, 5]\n'
    assert parse_matrix(text).matrix.block[0].train_trajectories == [20, 5]


def test_order_of_axes_does_not_matter(registry: Registry) -> None:
    turned = BLOCK.replace('"euler", "rk4"', '"rk4", "euler"').replace("[1, 0.5]", "[0.5, 1]")
    assert [p.id for p in plan(turned, registry).cells] == [p.id for p in plan(BLOCK, registry).cells]


def test_weights_are_shared_by_cells_that_differ_in_backend_only(registry: Registry) -> None:
    text = (
        BLOCK.replace('["numpy"]', '["numpy", "numba"]') + 'correctors = ["none", "attns"]\ntrain_trajectories = [3]\n'
    )
    made = plan(text, registry)
    learned = [p for p in made.cells if p.weights]
    assert len(learned) == 2 * 2 * 2 * 2 * 2
    assert len({p.weights for p in learned}) == len(learned) // 2
    assert all(p.cell.columns()["corrector"] == "none" for p in made.cells if not p.weights)


def test_everything_that_decides_the_outcome_changes_the_id(registry: Registry) -> None:
    base = BLOCK.replace('"henon-heiles", ', "")
    changes = [
        ("n = 4", "n = 5"),
        ("t_end = 2", "t_end = 4"),
        ('"euler", "rk4"', '"heun", "rk3"'),
        ("[1, 0.5]", "[0.25, 0.125]"),
        ("[0, 1]", "[2, 3]"),
        ('["numpy"]', '["numba"]'),
        ("dt_factors", 'dtypes = ["float32"]\ndt_factors'),
        ("t_end = 2", "t_end = 2, n_trajectories = 3"),
        ("t_end = 2", "t_end = 2, save_every = 0.4"),
        ("dt_factors = [1, 0.5]", "rtols = [1e-3, 1e-6]"),
    ]
    seen = {p.id for p in plan(base, registry).cells}
    for old, new in changes:
        assert old in base
        ids = {p.id for p in plan(base.replace(old, new), registry).cells}
        assert not ids & seen, new
        seen |= ids


def test_patterns_stand_for_what_is_registered(registry: Registry) -> None:
    text = """
    name = "all"
    [[block]]
    equations = ["lorenz-*", { name = "lorenz-63", n_trajectories = 2, t_end = 2 }]
    methods = ["rk3*", "rk4"]
    n_trajectories = 5
    """
    cells = [p.cell for p in plan(text, registry).cells]
    assert {c.method for c in cells} == {"rk3", "rk3-nine-times", "rk38", "rk4"}
    assert {(c.problem.equation, c.problem.n_trajectories) for c in cells} == {("lorenz-63", 2), ("lorenz-96", 5)}
    everything = plan(text.replace('"rk3*", "rk4"', '"*"').replace('"lorenz-*"', '"*"'), registry)
    assert {p.cell.method for p in everything.cells} == set(registry.names("method")) - {"zero"}
    assert {p.cell.problem.equation for p in everything.cells} == set(registry.names("equation"))
    with pytest.raises(AttnsError, match=r"block\[0\]: no registered equation matches 'lorentz-\*'; see: attns list"):
        plan(text.replace("lorenz-*", "lorentz-*"), registry)
    rehearsed = quick(parse_matrix(text + '\n[quick]\nmethods = ["rk38", "euler"]\nn_trajectories = 3\n'))
    kept = [p.cell for p in make_plan(rehearsed.matrix, registry).cells]
    assert {(c.method, c.problem.n_trajectories) for c in kept} == {("rk38", 2), ("rk38", 3)}


def test_the_longest_deadline_of_the_blocks_holds(registry: Registry) -> None:
    block = BLOCK[BLOCK.index("[[block]]") :]
    made = plan(BLOCK + "deadline_s = 5\n" + block.replace('"rk4"', '"heun"') + "deadline_s = 90\n", registry)
    found = {p.cell.method: made.deadlines[p.point] for p in made.cells}
    assert found == {"euler": 90, "rk4": 5, "heun": 90}
    assert set(plan(BLOCK, registry).deadlines.values()) == {60}


def test_cells_survive_json(registry: Registry) -> None:
    text = BLOCK + 'correctors = [{ name = "attns", width = 8 }]\ntrain_trajectories = [3]\nnoise = [0.1]\n'
    for planned in plan(text, registry).cells:
        assert Cell.from_json(planned.cell.to_json()) == planned.cell
        assert planned.cell.columns()["corrector_options"] == "width=8"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("methods", "metods", ["metods", "'methods'"]),
        ("t_end = 2", "t_edn = 2", ["block[0].equations[1]", "t_edn", "'t_end'"]),
        ("[1, 0.5]", "[1, -0.5]", ["dt_factors[1]", "-0.5"]),
        ("[1, 0.5]", "[1, nan]", ["dt_factors[1]", "finite"]),
        ("[0, 1]", "[0, 1.5]", ["seeds[1]", "1.5"]),
        ("[0, 1]", "[]", ["seeds"]),
        ('name = "small"', 'name = "../escape"', ["name", "../escape"]),
        ('name = "small"', "", ["'name' is missing"]),
        ("[[block]]", "[[block", ["not valid TOML", "line"]),
        ('methods = ["euler", "rk4"]', "", ["methods, solvers or both"]),
        ("dt_factors", "dts = [0.1]\ndt_factors", ["dts or dt_factors"]),
        ("seeds = [0, 1]", 'correctors = ["attns"]', ["train_trajectories"]),
        ("seeds = [0, 1]", "limits = 3", ["limits"]),
    ],
)
def test_mistakes_name_file_key_and_value(old: str, new: str, words: list[str]) -> None:
    with pytest.raises(AttnsError) as caught:
        parse_matrix(BLOCK.replace(old, new), Path("some.toml"))
    message = str(caught.value)
    assert "some.toml" in message
    assert len(message.splitlines()) <= 10
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("henon-heiles", "henon-heile", ["henon-heiles"]),
        ("rk4", "rk44", ["rk4"]),
        ("numpy", "nump", ["numpy"]),
        ("n = 4", "nn = 4", ["parameter of spring-chain"]),
        ("seeds", 'correctors = ["atns"]\ntrain_trajectories = [1]\nseeds', ["attns"]),
        ("seeds", 'correctors = [{ name = "attns", widht = 3 }]\ntrain_trajectories = [1]\nseeds', ["width"]),
        ("seeds", 'correctors = ["attns"]\nrecipes = ["lqs"]\ntrain_trajectories = [1]\nseeds', ["lsq"]),
        ("[1, 0.5]", "[1, 0.3]", ["does not divide", "nearest"]),
        ("t_end = 2", "t_end = 2.05", ["does not divide"]),
    ],
)
def test_unknown_names_and_impossible_steps_are_found_before_anything_runs(
    registry: Registry, old: str, new: str, words: list[str]
) -> None:
    with pytest.raises((UnknownNameError, AttnsError)) as caught:
        plan(BLOCK.replace(old, new), registry)
    for word in [*words, "block[0]"]:
        assert word in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AttnsError, match=r"absent\.toml"):
        load_matrix(tmp_path / "absent.toml")


def test_the_demo_spans_what_it_promises(registry: Registry) -> None:
    demo = Path(__file__).parents[2] / "examples" / "demo.toml"
    made = make_plan(load_matrix(demo).matrix, registry)
    assert {p.cell.problem.equation for p in made.cells} == {
        "spring-chain",
        "elastic-pendulum",
        "henon-heiles",
        "k-link-pendulum",
    }
    steps = {p.cell.dt for p in made.cells if p.cell.problem.equation == "henon-heiles"}
    assert len(steps) >= 4
    assert len({p.cell.problem.seed for p in made.cells}) >= 2
    assert {p.cell.backend for p in made.cells} == {"numba"}


QUICK = """
name = "study"
[quick]
blocks = ["kept", "emptied"]
seeds = [0]
n_trajectories = 4
[[block]]
name = "kept"
equations = ["lorenz-63"]
methods = ["rk4"]
seeds = [0, 1]
[[block]]
name = "emptied"
equations = ["lorenz-63"]
methods = ["rk4"]
seeds = [7]
[[block]]
name = "other"
equations = ["lorenz-63"]
methods = ["rk4"]
"""


def test_quick_keeps_what_the_matrix_names() -> None:
    matrix = quick(parse_matrix(QUICK)).matrix
    assert matrix.name == "study-quick"
    assert [(b.name, b.seeds, b.n_trajectories) for b in matrix.block] == [("kept", [0], 4)]
    pattern = quick(parse_matrix(QUICK.replace('"kept", "emptied"', '"k*", "oth*"'))).matrix
    assert [b.name for b in pattern.block] == ["kept", "other"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "study"\n' + QUICK[QUICK.index("[[block]]") :], r"needs a table \[quick\]"),
        (QUICK.replace('"kept", "emptied"', '"emptied"'), "nothing is left"),
        (QUICK.replace("n_trajectories = 4", "n_trajectory = 4"), "did you mean 'n_trajectories'"),
        (QUICK.replace('"kept", "emptied"', '"keep"'), r"\[quick\] blocks: .*did you mean 'kept'"),
    ],
)
def test_quick_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(AttnsError, match=message):
        quick(parse_matrix(text))

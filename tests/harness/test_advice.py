"""Advice: the calibration measures, the judgement follows from the map, and the wording keeps them apart."""

import json
from dataclasses import replace
from typing import Any

import pytest
from attns_harness.advice import Calibration, advise, calibrate
from attns_harness.advice.calibration import Swept
from attns_harness.advice.judgement import load_map
from test_cli import attns

from attns_core.errors import AttnsError
from attns_core.registry import build_registry

REGISTRY = build_registry()
HENON = REGISTRY.equation("henon-heiles")


def measured(**changes: Any) -> Calibration:
    swept = Swept(method="dop853", dt=0.1, error=9e-6, nanoseconds=5000.0, evaluations=500.0)
    made = Calibration(
        equation=HENON.label, dim=4, t_end=20.0, error=1e-5, classical=swept, evaluation_ns=10.0, stiffness=30.0,
        autonomous=True, swept=(swept,), left_out=(), seconds=1.0,
    )  # fmt: skip
    return replace(made, **changes)


def comparison(**changes: Any) -> dict[str, Any]:
    made = {
        "regime": "a force", "equation": "fourier-potential", "params": "", "tags": sorted(HENON.tags), "error": 1e-5,
        "verdict": "win", "learned": "zero+neurvec", "evaluation_ns": 10.0, "evaluations_per_step": 50.0,
        "learned_step_ns": 50.0, "evaluations_in_step": 0.0, "training_s": 2.0,
    }  # fmt: skip
    return {**made, **changes}


def answer(*comparisons: dict[str, Any], trajectories: float = 1e7, **changes: Any) -> Any:
    return advise(HENON, measured(**changes), trajectories, {"comparisons": list(comparisons), "cpu": ["a processor"]})


def test_a_win_there_is_scaled_to_the_cost_here() -> None:
    found = answer(comparison(), evaluation_ns=20.0)
    near = found.comparable[0]
    assert not near.same
    # 50 evaluations of 20 ns against a step of 50 ns.
    assert near.ratio == pytest.approx(20.0)
    assert near.break_even == pytest.approx(2.0 / (5000e-9 * (1 - 1 / 20)))
    assert found.verdict == "learned"
    assert any("Estimates from other equations" in s for s in found.sentences)
    json.dumps(found.to_json(), allow_nan=False)


def test_evaluations_of_the_base_method_cost_what_they_cost_here() -> None:
    near = answer(comparison(evaluations_in_step=4.0), evaluation_ns=1000.0).comparable[0]
    # The corrector's own 10 ns stay; 50 evaluations stand against 4.
    assert near.ratio == pytest.approx(50 * 1000 / (4 * 1000 + 10))


def test_too_few_trajectories_do_not_pay() -> None:
    assert answer(comparison(), trajectories=1e3).verdict == "classical"


def test_losses_and_unreached_errors_say_classical() -> None:
    lost = answer(comparison(evaluations_per_step=3.0, verdict="loss"))
    assert lost.verdict == "classical"
    assert any("training never pays" in s for s in lost.sentences)
    unreached = answer(comparison(evaluations_per_step=None, evaluation_ns=None, learned=None, verdict="not reached"))
    assert unreached.verdict == "classical"
    assert any("no learned step reached it" in s for s in unreached.sentences)


def test_disagreement_and_strange_equations_say_measure() -> None:
    assert answer(comparison(), comparison(regime="b", evaluations_per_step=3.0)).verdict == "measure"
    far = answer(comparison(tags=["stiff", "chaotic", "forced"]))
    assert far.verdict == "measure"
    assert any("nothing is claimed" in s for s in far.sentences)


def test_the_equation_itself_in_the_map_is_the_answer() -> None:
    own = comparison(equation="henon-heiles", evaluations_per_step=2.0, verdict="loss", regime="own")
    found = answer(comparison(), own)
    assert [c.regime for c in found.comparable] == ["own"]
    assert any(s.startswith("Measured for this equation: own") for s in found.sentences)
    assert not any("Estimates" in s for s in found.sentences)


def test_the_map_that_ships_has_wins_and_losses() -> None:
    stored = load_map()
    verdicts = {c["verdict"] for c in stored["comparisons"]}
    assert "win" in verdicts
    assert verdicts & {"loss", "not reached"}
    for entry in stored["comparisons"]:
        assert comparison().keys() <= entry.keys()


def test_calibration_finds_a_step_that_delivers() -> None:
    equation = REGISTRY.equation("driven-oscillator")
    found = calibrate(equation, REGISTRY, error=1e-4, t_end=8.0, budget_s=0.0)
    assert found.classical.error <= 1e-4
    assert found.classical.nanoseconds > 0
    assert found.evaluation_ns == pytest.approx(found.classical.nanoseconds / found.classical.evaluations)
    # Eigenvalues of modulus omega = 1 over a span of 8.
    assert found.stiffness == pytest.approx(8.0)
    assert not found.autonomous
    assert any("not tried within" in why for why in found.left_out)
    tried = " ".join([*(s.method for s in found.swept), *found.left_out])
    assert "verner7" in tried
    assert "-twice" not in tried
    with pytest.raises(AttnsError, match="larger --error"):
        calibrate(equation, REGISTRY, error=1e-18, t_end=8.0)
    with pytest.raises(AttnsError, match="positive"):
        calibrate(equation, REGISTRY, error=-1.0)


def test_the_command_answers_in_words_and_in_json() -> None:
    words = ["advise", "driven-oscillator", "--error", "1e-3", "--trajectories", "1e5", "--t-end", "8", "--budget", "0"]
    text = attns(*words).stdout
    assert "Measured here:" in text
    found = json.loads(attns(*words, "--json").stdout)
    assert found["verdict"] in ("learned", "classical", "measure")
    assert found["calibration"]["classical"]["nanoseconds"] > 0
    assert "error must be a positive number" in attns("advise", "robertson", "--error", "0", code=2).stderr

"""Equations: what is inconsistent is refused where it is written, with name, value and remedy."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from attns_core import AttnsError, UnknownNameError
from attns_core.testing.problems import OSCILLATOR


def test_parameters_are_overridden_by_name() -> None:
    faster = OSCILLATOR.with_params(omega=3)
    assert faster.p.omega == 3.0
    assert isinstance(faster.p.omega, float)
    assert faster.label == "kit-oscillator[omega=3]"
    assert OSCILLATOR.p.omega == 1.5
    assert faster.identity() != OSCILLATOR.identity()


def test_unknown_parameters_list_the_known() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'omega'"):
        OSCILLATOR.with_params(omgea=2.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"t_end": 0.0}, "t_end must be after t0=0"),
        ({"t_end": float("nan")}, "t_end must be after t0=0"),
        ({"dts": ()}, "dts must be positive"),
        ({"dts": (0.1, -0.1)}, "dts must be positive"),
    ],
)
def test_inconsistent_fields_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(AttnsError, match=rf"equation 'kit-oscillator': {message}"):
        replace(OSCILLATOR, **changes)


def test_structural_parameters_are_whole_numbers() -> None:
    structural = replace(OSCILLATOR, params={"omega": 1.5, "n": 2})
    with pytest.raises(AttnsError, match=r"'n' must be a whole number, got 2\.5"):
        structural.with_params(n=2.5)
    with pytest.raises(AttnsError, match="'omega' cannot be a bool"):
        structural.with_params(omega=True)


def test_samplers_are_checked() -> None:
    with pytest.raises(AttnsError, match="number of trajectories must be at least 1, got 0"):
        OSCILLATOR.initial_states(0, 0)
    wrong = replace(OSCILLATOR, sample=lambda p, rng, n: np.zeros((3, n)))
    with pytest.raises(AttnsError, match=r"sampler returned shape \(3, 4\), expected \(2, 4\)"):
        wrong.initial_states(0, 4)


def test_derived_parameters_follow_and_yield_to_overrides() -> None:
    derived = replace(OSCILLATOR, derived=lambda p: {"period": 2 * np.pi / p.omega})
    assert derived.with_params(omega=2.0).p.period == pytest.approx(np.pi)
    assert derived.with_params(period=1.0).p.period == 1.0

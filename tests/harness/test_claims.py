"""Verdicts on the paper's claims follow the rows, favourable or not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from attns_harness.analysis.claims import against_other_correctors, claims, paired_ratios
from attns_harness.reports.claims import write_claims

SEEDS = range(5)


def row(corrector: str, seed: int, error: float, **changes: object) -> dict[str, object]:
    learned = corrector != "none"
    return {
        "equation": "toy",
        "method": "rk4",
        "dt": 0.1,
        "corrector": corrector,
        "input": {"attns": "S", "neurvec": "u"}.get(corrector),
        "corrector_options": "width=8" if learned else None,
        "train_trajectories": 5.0 if learned else None,
        "noise": 0.0 if learned else None,
        "seed": seed,
        "rollout_mse": error,
        "diverged_fraction": 0.0,
        "n_trajectories": 32,
        **changes,
    }


def study(attns: float, neurvec: float, bare: float = 1.0, spread: float = 0.1) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    errors = {"attns": attns, "neurvec": neurvec, "none": bare}
    return pd.DataFrame([row(name, s, e * np.exp(spread * rng.normal())) for name, e in errors.items() for s in SEEDS])


@pytest.mark.parametrize(
    ("attns", "neurvec", "improves", "less_data"),
    [
        (1e-3, 1e-2, "Holds.", "Holds."),
        (1e-2, 1e-3, "Holds.", "Does not hold."),
        (1e2, 1e-3, "Does not hold.", "Does not hold."),
    ],
)
def test_verdicts_follow_the_rows(attns: float, neurvec: float, improves: str, less_data: str) -> None:
    found = claims(study(attns, neurvec))
    assert found[0].verdict.startswith(improves)
    assert found[1].verdict.startswith(less_data)


def test_ratio_and_interval_are_those_of_the_errors() -> None:
    table = study(1e-3, 1e-2)
    ratio = paired_ratios(
        table[table.corrector == "attns"], table[table.corrector == "neurvec"], ["equation", "method"]
    )
    assert ratio.loc[0, "seeds"] == 5
    assert ratio.loc[0, "low"] < 0.1 < ratio.loc[0, "high"]


def test_a_wide_spread_decides_nothing() -> None:
    found = claims(study(0.9, 1.0, spread=3.0))
    assert set(found[1].evidence["says"]) == {"undecided"}


def test_round_off_against_round_off_is_a_tie() -> None:
    found = claims(study(1e-30, 1e-27))
    assert found[1].evidence.loc[0, "ratio"] == pytest.approx(1.0)


def test_other_inputs_do_not_count_as_attns() -> None:
    table = study(1e-1, 1e-2)
    other = pd.DataFrame([row("attns", s, 1e-9, input="uK", corrector_options="input=uK,width=8") for s in SEEDS])
    found = claims(pd.concat([table, other], ignore_index=True))
    assert found[1].verdict.startswith("Does not hold.")


def test_explosions_and_noise() -> None:
    table = study(1e-3, 1e-2)
    table.loc[table.corrector == "neurvec", "diverged_fraction"] = 0.5
    noisy = study(2e2, 1e2).query("corrector != 'none'").assign(noise=1e-2)
    explosions, noise, convergence = claims(pd.concat([table, noisy], ignore_index=True))[2:]
    assert explosions.verdict.startswith("Holds.")
    assert noise.verdict.startswith("No advantage was seen.")
    assert "above the bare method's, in 1 of 1" in noise.verdict
    assert convergence.verdict.startswith("Not tested")


@pytest.mark.parametrize(("order", "verdict"), [(4, "Holds."), (-1, "Does not hold.")])
def test_convergence_needs_errors_that_fall_with_the_step(order: int, verdict: str) -> None:
    rows = [
        row(name, s, (1e-3 if name == "attns" else 1.0) * (dt / 0.1) ** (2 * order), dt=dt)
        for name in ("attns", "none")
        for dt in (0.1, 0.05, 0.025)
        for s in SEEDS
    ]
    assert claims(pd.DataFrame(rows))[4].verdict.startswith(verdict)


def test_the_report_lists_its_evidence(tmp_path: Path) -> None:
    files = write_claims(study(1e-3, 1e-2), tmp_path, "a <b>title</b>")
    page = files[0].read_text()
    assert "<b>" not in page
    assert {f.name for f in files} == {"claims.md", "claim-1.csv", "claim-2.csv", "claim-3.csv"}


def test_only_rows_that_differ_in_the_corrector_alone_are_paired() -> None:
    hard = study(1e-1, 1e-1, bare=1e3).assign(params="k=9", recipe="adam")
    easy = study(1e-9, 1e-9, bare=1e-5).assign(params=None, recipe="lsq")
    evidence = claims(pd.concat([hard, easy], ignore_index=True))[1].evidence
    assert evidence.loc[0, "seeds"] == 2 * len(SEEDS)
    assert evidence.loc[0, "low"] > 0.5
    assert evidence.loc[0, "high"] < 2


def test_other_correctors_are_counted_beside_the_claims() -> None:
    table = study(1e-3, 1e-2)
    other = pd.DataFrame([row("poly", s, 1e-5) for s in SEEDS] + [row("attns-m", s, 0.5) for s in SEEDS])
    found = against_other_correctors(pd.concat([table, other], ignore_index=True))
    assert found.verdict == (
        "AttNS's error over attns-m's: lower in 1, higher in 0, undecided in 0 of 1; "
        "over poly's: lower in 0, higher in 1, undecided in 0 of 1."
    )
    assert set(found.evidence["other"]) == {"attns-m", "poly"}
    assert against_other_correctors(table).verdict.startswith("Not tested by this run")

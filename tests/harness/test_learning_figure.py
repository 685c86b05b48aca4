"""Learning curves: points of one size of training set stand beside each other."""

import numpy as np
import pandas as pd
import pytest
from attns_harness.reports.learning_figure import learning_figure


def curves(sizes: tuple[int, ...]) -> pd.DataFrame:
    rows = [
        {"problem": "henon-heiles", "method": "rk4", "corrector": name, "train_trajectories": n,
         "rollout_mse": 1e-6, "low": 1e-7, "high": 1e-5}
        for name in ("neurvec", "poly", "linear")
        for n in sizes
    ]  # fmt: skip
    bare = {"problem": "henon-heiles", "method": "rk4", "corrector": "none", "rollout_mse": 1e-3}
    return pd.DataFrame([*rows, bare])


@pytest.mark.parametrize(("sizes", "aside"), [((100,), True), ((20, 200), True), ((2, 20, 200), False)])
def test_equal_errors_at_few_sizes_do_not_cover_each_other(sizes: tuple[int, ...], aside: bool) -> None:
    figure = learning_figure(curves(sizes), "henon-heiles")
    figure.canvas.draw()
    axes = figure.axes[0]
    drawn = [container.lines[0].get_xdata() for container in axes.containers]
    at = axes.transData.transform(np.column_stack([np.ravel(drawn).astype(float), np.full(3 * len(sizes), 1e-6)]))[:, 0]
    at = at.reshape(3, len(sizes))
    for column, size in zip(at.T, sizes, strict=True):
        apart = np.diff(np.sort(column))
        assert (apart > 5).all() if aside else (apart == 0).all()
        # Beside the tick of their size, nearer to it than to any other.
        tick = axes.transData.transform((size, 1e-6))[0]
        assert np.abs(column - tick).max() < 0.1 * axes.bbox.width
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"{s:g}" for s in sizes]

"""Everything that is known about a run, computed once from its table: what every report shows."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

from attns_harness.analysis.break_even import break_even
from attns_harness.analysis.convergence import convergence
from attns_harness.analysis.crossover import crossovers
from attns_harness.analysis.equal_error import classical_best, equal_cost, equal_error
from attns_harness.analysis.explosion import explosion_rates
from attns_harness.analysis.fairness import Check, fairness
from attns_harness.analysis.frames import Frame
from attns_harness.analysis.inputs import inputs
from attns_harness.analysis.learning import learning_curves
from attns_harness.analysis.ranking import costs_at_errors, performance_profile, win_tie_loss
from attns_harness.analysis.regimes import regimes
from attns_harness.analysis.stable_steps import stability_intervals, stable_steps
from attns_harness.analysis.work_precision import COSTS, WorkPrecisionSet
from attns_harness.matrix import Analysis, Regime


@final
@dataclass(frozen=True, eq=False)
class Study:
    """A run's table with all analyses, each computed when first asked for.

    Parameters
    ----------
    table : DataFrame
        Prepared result rows.
    title : str
    registry : Registry, optional
        Where orders, tags, formulas and citations come from; analyses work without it.
    wanted : tuple of Regime
        What the matrix asks to compare.
    terms : Analysis
        What solvers are compared by; what is None follows from the table.
    swept : WorkPrecisionSet, optional
        Curves in place of those over steps and tolerances, such as ``points.over("width")``.
    """

    table: Frame
    title: str
    registry: Any = None
    wanted: tuple[Regime, ...] = ()
    terms: Analysis = field(default_factory=Analysis)
    swept: WorkPrecisionSet | None = None

    @cached_property
    def points(self) -> WorkPrecisionSet:
        return WorkPrecisionSet.from_table(self.table, self.registry) if self.swept is None else self.swept

    @cached_property
    def error(self) -> str:
        """The error column compared by: component-scaled l2 where there is one."""
        return self.terms.error or (self.points.errors() or ["error_l2_scaled"])[0]

    @cached_property
    def cost(self) -> str:
        """Time where it was measured, else operations, else (runs older than that count) evaluations.

        Operations before evaluations, because these leave out what a corrector computes.
        """
        if self.terms.cost is not None:
            return self.terms.cost
        return next((cost for cost in ("time", "operations") if self.table[COSTS[cost][0]].notna().any()), "nfe")

    @cached_property
    def not_counted(self) -> list[str]:
        """Series that finished somewhere and have no cost on the axis compared by: no comparison has them."""
        rows = self.table[self.table["ok"]]
        known = rows[COSTS[self.cost][0]].notna().groupby(rows["series"]).any()
        return sorted(known.index[~known])

    @cached_property
    def learned(self) -> set[str]:
        return set(self.table.loc[self.table["learned"], "series"])

    @cached_property
    def equal_error(self) -> Frame:
        return equal_error(self.points, error=self.error, cost=self.cost, levels=self.terms.levels)

    @cached_property
    def classical_best(self) -> Frame:
        return classical_best(self.points, error=self.error, cost=self.cost, levels=self.terms.levels)

    @cached_property
    def crossovers(self) -> Frame:
        return crossovers(self.points, error=self.error, cost=self.cost)

    @cached_property
    def equal_cost(self) -> Frame:
        return equal_cost(self.points, error=self.error, cost=self.cost)

    @cached_property
    def break_even(self) -> Frame:
        return break_even(self.points, error=self.error)

    @cached_property
    def orders(self) -> Frame:
        return convergence(self.points, error=self.error)

    @cached_property
    def stability(self) -> Frame:
        return stability_intervals(self.table, self.registry)

    @cached_property
    def stable_steps(self) -> Frame:
        return stable_steps(self.table, registry=self.registry, trajectories=self.terms.stable_steps)

    @cached_property
    def explosions(self) -> Frame:
        return explosion_rates(self.table)

    @cached_property
    def explosions_over_noise(self) -> Frame:
        """Rates over the noise of the training data, empty unless the run has several levels of it."""
        noisy = self.table[self.table["learned"]]
        return explosion_rates(noisy if noisy["noise"].nunique() > 1 else noisy.iloc[:0], "noise")

    @cached_property
    def learning(self) -> Frame:
        """Error over the size of the training set, empty for a run with one size."""
        return learning_curves(self.table)

    @cached_property
    def fairness(self) -> list[Check]:
        least = {r["problem"]: r["error"] for r in self.regimes.sort_values("error").iloc[::-1].to_dict("records")}
        return fairness(self.table, self.registry, least or None)

    @cached_property
    def costs(self) -> Frame:
        return costs_at_errors(self.points, error=self.error, cost=self.cost, levels=self.terms.levels)

    @cached_property
    def profile(self) -> Frame:
        return performance_profile(self.costs)

    @cached_property
    def ranking(self) -> Frame:
        return win_tie_loss(self.costs, [s for s in self.costs.columns if s not in self.learned])

    @cached_property
    def regimes(self) -> Frame:
        """Comparisons that the matrix asks for; empty without any, and for a run that was not timed."""
        wanted = self.wanted if self.cost == "time" else ()
        registry = self.registry
        if registry is None:
            return regimes(self.points, wanted)
        simple = [n for n in registry.names("corrector") if registry.corrector(n).features == "polynomial"]
        baselines = [n for n in registry.names("solver") if {"learned", "baseline"} <= registry.get("solver", n).tags]
        return regimes(self.points, wanted, simple, baselines)

    @cached_property
    def inputs(self) -> Frame:
        """What the learned term reads, where the matrix asks for regimes."""
        return inputs(self.table if self.wanted else self.table.iloc[:0])

    @property
    def failures(self) -> Frame:
        """Cells that are not ``ok``, with state and reason."""
        return self.points.failures()

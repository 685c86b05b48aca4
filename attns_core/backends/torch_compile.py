"""Compiling one step, and deciding when that pays.

Measured on two CPU cores (RK4, 1000 trajectories): compiling takes 4 to 20 s and makes a step 9 to 30
times faster than eager execution; the second process finds the kernels in inductor's disk cache and
needs 1 to 3 s. A short accuracy run is over before the compiler is. So ``compile=None`` compiles
from a fixed amount of work on: fixed, because a choice by the clock would let rounding differ from
run to run.
"""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from attns_core.backends.torch_corrector import CorrectorModule
from attns_core.backends.torch_step import Form, Step
from attns_core.errors import AttnsError
from attns_core.method import AbstractMethod

CPU_PAYS_FROM = 2e9
"""Component-stages (see :func:`work`) from which compiling is worth its seconds on a CPU."""

CUDA_PAYS_FROM = 1e11
"""The same on a GPU, where eager execution is already captured in a graph."""

MAX_NODES = 3000
"""Largest traced step that is compiled component by component; beyond it compiling takes minutes."""

MAX_STEPS = 5
"""Most steps in one compiled graph (RK4 on the pendulum in float32: 10.4 ns a step one by one, 6.9 by fives)."""

UNROLLED_NODES = 1000
"""Largest graph of several steps; five steps of the pendulum's RK4 take 4 s to compile, one takes 1 s."""


CPU_OPTIONS: dict[str, Any] = {
    # All components of all stages in one loop: intermediate stages stay in the first-level cache.
    # (Half the time of inductor's default of 64 on a 40-dimensional chain. A GPU has too few
    # registers for that.)
    "max_fusion_size": MAX_NODES,
    # A multiplication and an addition in one instruction, as the numba kernels do.
    "cpp.enable_floating_point_contract_flag": "fast",
    # A call from Python costs a microsecond per component: more than the step of a block of 100 trajectories.
    "cpp_wrapper": True,
}
"""Settings of inductor on a CPU."""


def work(method: AbstractMethod, n_steps: int, dim: int, n: int, corrector: CorrectorModule | None) -> float:
    """Component-stages of a solve: steps x trajectories x (components x stages + hidden units)."""
    stages: int = method.stages  # type: ignore[attr-defined]
    hidden = 0 if corrector is None else sum(layer.bias.numel() for layer in corrector.layers)  # type: ignore[operator,union-attr]
    return float(n_steps) * n * (dim * stages + hidden)


def compile_pays(amount: float, device: torch.device) -> bool:
    """The policy of ``compile=None``."""
    return amount >= (CUDA_PAYS_FROM if device.type == "cuda" else CPU_PAYS_FROM)


def compile_step(
    make: Callable[[Form], Step], t: Tensor, u: Tensor, *, dt: float, most: int = 1, parallel: bool = True
) -> tuple[Step, int]:
    """Compile ``make(form)`` for the shape, dtype and device of ``u``.

    The step is traced to a graph of tensor operations, component by component where the graph stays
    small enough, and handed to inductor directly: there are no guards to check in the time loop.
    Several steps go into one graph while it stays small: the state stays in registers between them.

    Parameters
    ----------
    dt : float
        The step, for the clock of later steps in the graph.
    most : int
        The number of steps in the graph divides this.
    parallel : bool
        Whether a call shares its work between torch's threads (on a CPU).

    Returns
    -------
    advance : callable
        ``advance(t, u)`` -> state after ``steps`` steps.
    steps : int

    Raises
    ------
    AttnsError
        If the compiler fails (no C++ compiler, for one); the message says what to do.
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    try:
        # torch's own deprecations, raised while it imports its compiler, are not the caller's.
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torch._inductor import compile as inductor  # type: ignore[attr-defined]

            graph, steps = _traced(make_fx, make("components"), t, u), 1
            size = len(graph.graph.nodes)
            if size > MAX_NODES:
                graph = _traced(make_fx, make("array"), t, u)
            else:
                steps = largest_divisor(most, min(MAX_STEPS, max(1, UNROLLED_NODES // size)))
                if steps > 1:
                    graph = _traced(make_fx, _repeated(make("components"), steps, dt), t, u)
            options = CPU_OPTIONS | ({} if parallel else {"cpp.threads": 1}) if u.device.type == "cpu" else {}
            compiled: Any = inductor(graph, [t, u], options=options)
    except AttnsError:
        raise
    except Exception as error:
        raise AttnsError(
            f"torch could not compile the step ({type(error).__name__}: {str(error).splitlines()[0]}); "
            "a C++ compiler is needed on a CPU, Triton on a GPU. Without: compile=False"
        ) from error

    def advance(t: Tensor, u: Tensor) -> Tensor:
        result = compiled(t, u)
        return result if isinstance(result, Tensor) else result[0]

    return advance, steps


def largest_divisor(number: int, most: int) -> int:
    """The largest divisor of ``number`` up to ``most``; 1 for 0, which is no step at all."""
    return max(d for d in range(1, most + 1) if number % d == 0) if number else 1


def _repeated(step: Step, steps: int, dt: float) -> Step:
    def advance(t: Tensor, u: Tensor) -> Tensor:
        for i in range(steps):
            u = step(t + i * dt if i else t, u)
        return u

    return advance


def _traced(make_fx: Any, step: Step, t: Tensor, u: Tensor) -> Any:
    from torch._subclasses.fake_tensor import FakeTensorMode

    # Once eagerly, so that constants a step makes on first use are made outside the trace.
    step(t, u)
    graph = make_fx(step)(t, u)
    # One mode for all inputs, which inductor's C++ wrapper asks for.
    mode = FakeTensorMode()
    for node, value in zip(graph.graph.find_nodes(op="placeholder"), (t, u), strict=True):
        node.meta["val"] = mode.from_tensor(value)
    return graph

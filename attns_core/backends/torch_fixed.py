"""Fixed steps on tensors: the time loop around one step, on a CPU in cache-sized blocks of
trajectories, on a GPU as replays of a captured graph. Nothing in a loop waits for the device.

Trajectories never meet: every operation is elementwise over them or a matrix product with one column
per trajectory. One that diverges carries its infinities and NaNs alone.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attns_core.backends.numba_threads import share
from attns_core.backends.torch_compile import compile_pays, compile_step, largest_divisor, work
from attns_core.backends.torch_corrector import CorrectorModule, Sums
from attns_core.backends.torch_step import Form, Step, is_autonomous, make_step
from attns_core.method import AbstractMethod
from attns_core.problem import Problem
from attns_core.types import Array

CACHE_BYTES = 2 << 20
"""Working set of one block of trajectories on a CPU: about the second-level cache of a core."""

VECTOR = 16
"""Blocks are multiples of this: the float32 numbers of the widest vector register."""

GRAPH_STEPS = 32
"""Most steps captured in one CUDA graph."""

Rollout = Callable[[], Tensor]
"""Runs all steps; returns the saved states ``(n_save, dim, n)`` on the device (or the host if they are too many)."""


def prepare_rollout(
    problem: Problem,
    method: AbstractMethod,
    dt: float,
    counts: Array,
    *,
    corrector: CorrectorModule | None,
    dtype: torch.dtype,
    device: torch.device,
    compile: bool | None = None,
) -> tuple[Rollout, dict[str, Any]]:
    """Set up (and compile, and capture) a solve with ``counts[i]`` steps before saved time ``i + 1``.

    Returns
    -------
    rollout : callable
    extra : dict
        What was chosen: ``compiled``, ``block`` (trajectories per block), ``compiled_steps`` (in one call),
        ``graph_steps`` (in one CUDA graph).
    """
    equation = problem.equation
    n_steps = int(counts.sum())
    compiled = (
        n_steps > 0 and compile_pays(work(method, n_steps, equation.dim, problem.n, corrector), device)
        if compile is None
        else compile
    )
    u0 = torch.tensor(problem.u0, dtype=dtype, device=device)
    clock = _Clock(problem, dt, counts, device)

    sums: Sums | None = None
    if compiled and corrector is not None and corrector.has_term:
        from attns_core.backends.torch_layer import operator_sums

        sums = operator_sums(corrector, equation.dim, method)
    # The operator runs on one thread: then threads share the blocks rather than the work of each call.
    threads = 1 if sums is None else torch.get_num_threads()

    def make(form: Form) -> Step:
        return make_step(equation, method, dt, corrector=corrector, form=form, sums=sums)

    block = _block_size(problem, method, corrector, dtype, device, stored=sums is None, threads=threads)
    like = u0[:, :1].expand(-1, block).contiguous()
    every = math.gcd(*clock.counts)
    step, stride = make("array"), 1
    if compiled:
        step, stride = compile_step(make, clock.zero, like, dt=dt, most=every, parallel=sums is None)
    extra: dict[str, Any] = {"compiled": bool(compiled), "block": block}
    if compiled:
        extra["compiled_steps"] = stride
    if device.type == "cuda":
        with torch.cuda.device(device):
            captured = _Captured(step, stride, like, clock)
        extra["graph_steps"] = captured.steps
        return lambda: _blocks(u0, block, problem.t_save.size, captured.roll, clock, padded=True), extra
    step(clock.zero, like)  # constants and buffers of the first call

    def roll(u: Tensor, clock: _Clock) -> Iterator[Tensor]:
        for times in clock.intervals:
            for t in times[::stride]:
                u = step(t, u)
            yield u

    return lambda: _blocks(u0, block, problem.t_save.size, roll, clock, padded=compiled, threads=threads), extra


class _Clock:
    """Start of every step; one shared zero for equations that never look at it."""

    def __init__(self, problem: Problem, dt: float, counts: Array, device: torch.device) -> None:
        self.zero = torch.zeros((), dtype=torch.float64, device=device)
        self.starts = [float(t) for t in problem.t_save[:-1]]
        self.counts = [int(c) for c in counts]
        self.autonomous = is_autonomous(problem.equation)
        self.dt = dt

    @property
    def intervals(self) -> Iterator[Any]:
        """For every saving interval, the times of its steps."""
        for start, count in zip(self.starts, self.counts, strict=True):
            if self.autonomous:
                yield [self.zero] * count
            else:
                yield torch.from_numpy(start + np.arange(count) * self.dt).unbind()


class _Captured:
    """A few steps as one CUDA graph that works on static memory and keeps its own clock."""

    def __init__(self, step: Step, stride: int, u: Tensor, clock: _Clock) -> None:
        self.u = u.clone()
        self.start = torch.zeros((), dtype=torch.float64, device=u.device)
        self.count = torch.zeros((), dtype=torch.float64, device=u.device)
        calls = largest_divisor(math.gcd(*clock.counts) // stride, max(1, GRAPH_STEPS // stride))
        self.steps = calls * stride

        def advance() -> None:
            x = self.u
            for _ in range(calls):
                if clock.autonomous:
                    x = step(self.start, x)
                else:
                    x = step(self.start + self.count * clock.dt, x)
                    self.count.add_(stride)
            self.u.copy_(x)

        # Capture needs compiled kernels and constants that are already made; a side stream makes them.
        side = torch.cuda.Stream(u.device)
        side.wait_stream(torch.cuda.current_stream(u.device))
        with torch.cuda.stream(side):
            for _ in range(2):
                advance()
        torch.cuda.current_stream(u.device).wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            advance()

    def roll(self, u: Tensor, clock: _Clock) -> Iterator[Tensor]:
        self.u.copy_(u)
        for start, count in zip(clock.starts, clock.counts, strict=True):
            self.start.fill_(start)
            self.count.zero_()
            with torch.cuda.device(u.device):
                for _ in range(count // self.steps):
                    self.graph.replay()
            yield self.u


def _blocks(
    u0: Tensor,
    block: int,
    n_save: int,
    roll: Callable[[Tensor, _Clock], Iterator[Tensor]],
    clock: _Clock,
    *,
    padded: bool,
    threads: int = 1,
) -> Tensor:
    """Roll out block after block of trajectories into one array of saved states, on ``threads`` threads."""
    dim, n = u0.shape
    saved = torch.empty((n_save, dim, n), dtype=u0.dtype, device=_home(u0, n_save))
    saved[0] = u0
    starts = range(0, n, block)

    def work(a: int, b: int) -> None:
        for first in starts[a:b]:
            last = min(first + block, n)
            u = u0[:, first:last]
            if padded and last - first < block:
                # A compiled step has one shape: the last block is filled up with its last trajectory.
                u = torch.cat([u, u[:, -1:].expand(-1, block - (last - first))], dim=1)
            for i, state in enumerate(roll(u.contiguous(), clock), start=1):
                saved[i, :, first:last] = state[:, : last - first]

    if threads == 1:
        work(0, len(starts))
        return saved
    # Each of ours has torch to itself: no team of further threads.
    torch.set_num_threads(1)
    try:
        share(torch.inference_mode()(work), len(starts), threads)
    finally:
        torch.set_num_threads(threads)
    return saved


def _home(u0: Tensor, n_save: int) -> torch.device:
    """Where saved states live: beside the states, or on the host where they would fill the device."""
    if u0.device.type != "cuda":
        return u0.device
    free, _ = torch.cuda.mem_get_info(u0.device)
    return u0.device if n_save * u0.numel() * u0.element_size() <= free // 2 else torch.device("cpu")


def _block_size(
    problem: Problem,
    method: AbstractMethod,
    corrector: CorrectorModule | None,
    dtype: torch.dtype,
    device: torch.device,
    *,
    stored: bool,
    threads: int,
) -> int:
    """Trajectories per block: as many as keep stages and, where ``stored``, hidden units in cache, in equal blocks.

    ``threads`` share the blocks; with one, all of torch's threads work on each.
    """
    dim, n = problem.u0.shape
    stages: int = method.stages  # type: ignore[attr-defined]
    numbers = dim * (stages + 4)
    if corrector is not None:
        # What a layer makes and what the next product reads, each with as much again for the copies between.
        if stored:
            numbers += 4 * max((layer.bias.numel() for layer in corrector.layers), default=0)  # type: ignore[operator,union-attr]
        numbers += 2 * corrector.mean.numel()
    if device.type == "cuda":
        # Without hidden units a GPU is best fed everything at once; with them they stay in its cache.
        wide = corrector is not None and len(corrector.layers) > 0
        budget = torch.cuda.get_device_properties(device).L2_cache_size if wide else math.inf
        smallest = 8192
    else:
        budget, smallest = CACHE_BYTES * (torch.get_num_threads() // threads), 128
    lanes = max(smallest, budget / (numbers * dtype.itemsize))
    blocks = math.ceil(n / lanes)
    # As many for every thread, as far as there is enough to do.
    blocks = max(blocks, min(math.ceil(blocks / threads) * threads, n // smallest))
    block = math.ceil(n / blocks)
    # Whole vectors where there are several: a compiled loop is much slower on what is left over.
    return block if block <= VECTOR else math.ceil(block / VECTOR) * VECTOR

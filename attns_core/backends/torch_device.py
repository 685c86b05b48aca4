"""The torch backend: on a CPU or a CUDA device, for large ensembles and for training.

torch is imported on first use, never when the backend is registered.
"""

from dataclasses import dataclass
from typing import Any, final

from attns_core.backend import AbstractBackend, PreparedSolve
from attns_core.control import Adaptive, FixedStep, FrozenSteps, StepControl, StepsPerSave
from attns_core.correction import why_no_tableau
from attns_core.corrector_sequence import Correction, CorrectorSequence
from attns_core.errors import AttnsError
from attns_core.method import AbstractMethod, ExplicitRungeKutta, Splitting
from attns_core.problem import Problem
from attns_core.solution import Solution


@final
@dataclass(frozen=True)
class TorchBackend(AbstractBackend):
    """Executes methods with torch.

    Parameters
    ----------
    name : str
    device : str
        ``cpu``, ``cuda`` or ``cuda:1``.
    compile : bool, optional
        Compile the step (seconds to minutes, in ``prepare``), or not; by default where it pays, see
        :mod:`attns_core.backends.torch_compile`.
    """

    name: str = "torch-cpu"
    device: str = "cpu"
    compile: bool | None = None

    def supports(
        self,
        problem: Problem,
        method: AbstractMethod,
        control: StepControl,
        corrector: Correction | None,
        dtype: str,
    ) -> str | None:
        missing = device_missing(self.device) or why_no_tableau(method, corrector)
        if missing is not None:
            return missing
        if isinstance(method, Splitting):
            from attns_core.splittings import why_not_split

            reason = why_not_split(method, problem.equation)
            if reason is not None:
                return reason
        elif not isinstance(method, ExplicitRungeKutta):
            return f"the torch backend has no step for {type(method).__name__}"
        if isinstance(control, StepsPerSave | FrozenSteps) or isinstance(corrector, CorrectorSequence):
            return "the torch backend takes steps of one length; use numba for step sequences"
        if corrector is not None and corrector.input == "u0":
            return "the torch backend keeps no initial states for the input 'u0'; use numba"
        if isinstance(control, Adaptive):
            if not method.is_adaptive:
                return f"{method.name} has no error estimate"
            if corrector is not None:
                return "correctors belong to one dt; adaptive steps cannot be corrected"
        return None

    def prepare(
        self,
        problem: Problem,
        method: AbstractMethod,
        control: StepControl,
        corrector: Correction | None,
        dtype: str,
    ) -> PreparedSolve:
        reason = self.supports(problem, method, control, corrector, dtype)
        if reason is not None:
            raise AttnsError(f"{self.name}: {reason}")
        import torch

        from attns_core.backends.torch_corrector import CorrectorModule
        from attns_core.backends.torch_fixed import prepare_rollout

        precision, device = getattr(torch, dtype), torch.device(self.device)
        if isinstance(control, Adaptive):
            from attns_core.backends.torch_adaptive import solve_adaptive

            assert isinstance(method, ExplicitRungeKutta)
            facts = describe_device(device)
            return lambda: solve_adaptive(problem, method, control, precision, device, facts)
        assert isinstance(control, FixedStep)
        assert not isinstance(corrector, CorrectorSequence)
        counts = problem.steps_per_save(control)
        with torch.inference_mode():
            module = None
            if corrector is not None:
                module = CorrectorModule.from_trained(corrector, dtype=precision, device=device)
            rollout, extra = prepare_rollout(
                problem,
                method,
                control.dt,
                counts,
                corrector=module,
                dtype=precision,
                device=device,
                compile=self.compile,
            )
        n_steps = int(counts.sum())
        per_step: int = (
            method.tableau.effective_stages if isinstance(method, ExplicitRungeKutta) else method.stages  # type: ignore[attr-defined]
        )
        extra |= describe_device(device)

        def run() -> Solution:
            with torch.inference_mode():
                saved = rollout().cpu().numpy()  # the copy waits for the device
            return Solution(
                t=problem.t_save,
                u=saved,
                n_steps=n_steps,
                nfe=n_steps * per_step,
                n_corrector=n_steps if corrector is not None else 0,
                extra=dict(extra),
            )

        return run

    def options(self) -> dict[str, Any]:
        return {"device": self.device, "compile": self.compile}


def device_missing(device: str) -> str | None:
    """None if torch and the device are there, else what is missing, for people to read."""
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    kind, _, index = device.partition(":")
    if kind == "cpu":
        return None
    if kind != "cuda" or (index and not index.isdigit()):
        return f"no such device {device!r}; there are cpu, cuda and cuda:N"
    import torch

    if not torch.cuda.is_available():
        return "no CUDA device"
    count = torch.cuda.device_count()
    if index and int(index) >= count:
        return f"no CUDA device {index}; there are {count}"
    return None


def describe_device(device: Any) -> dict[str, Any]:
    """What a result row records about where torch ran."""
    import torch

    facts: dict[str, Any] = {"device": str(device), "torch": torch.__version__}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "gpu": properties.name,
            "gpu_memory_bytes": properties.total_memory,
            "cuda": torch.version.cuda,
            "driver": _driver(),
        }
    else:
        facts["threads"] = torch.get_num_threads()
    return facts


def _driver() -> str | None:
    """Version of the NVIDIA driver, or None where the kernel does not tell."""
    from pathlib import Path

    try:
        return Path("/sys/module/nvidia/version").read_text().strip()
    except OSError:
        return None

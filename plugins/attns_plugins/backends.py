"""The backends that ship with AttNS."""

from attns_core.backend import AbstractBackend
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.backends.torch_device import TorchBackend
from attns_core.hookspecs import hookimpl


@hookimpl
def attns_backends() -> tuple[AbstractBackend, ...]:
    return (NumpyBackend(), NumbaBackend(), TorchBackend(), TorchBackend(name="torch-cuda", device="cuda"))

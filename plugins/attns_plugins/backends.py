"""The backends that ship with AttNS."""

from attns_core.backend import AbstractBackend
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.hookspecs import hookimpl


@hookimpl
def attns_backends() -> tuple[AbstractBackend, ...]:
    return (NumpyBackend(),)

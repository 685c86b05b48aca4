"""What every jax-based solver needs: double precision, switched on for the call and not for the process."""

from collections.abc import Callable
from functools import wraps
from typing import Any


def in_double(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run ``function`` with 64-bit jax; without it jax rounds everything to float32 and says nothing."""

    @wraps(function)
    def call(*args: Any) -> Any:
        import jax

        enable: Any = getattr(jax, "enable_x64", None)
        if enable is None:  # before jax 0.8
            from jax.experimental import enable_x64 as enable
        with enable(True):
            return function(*args)

    return call

"""The conformance kit: named checks per kind, run over anything registered, ours or a third party's."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

from attns_core.errors import AttnsError, UnknownNameError
from attns_core.registry import Registry

CheckFunction: TypeAlias = Callable[[Any, "Context"], None]
Status: TypeAlias = Literal["passed", "failed", "skipped", "expected", "unexpected"]


class CheckFailure(AssertionError):  # noqa: N818 (an assertion, as pytest reports it)
    """What a check found wrong, in words that tell the author what to change."""


class CheckSkipped(Exception):  # noqa: N818 (not an error)
    """The check does not apply; the message says why."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Context:
    """What checks may use besides their subject: other registered things, and a worker process."""

    registry: Registry
    plugin_files: tuple[Path, ...] = ()


@final
@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """One named check of one kind. Its docstring is its description."""

    kind: str
    name: str
    run: CheckFunction

    @property
    def description(self) -> str:
        return (self.run.__doc__ or "").strip().splitlines()[0]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What became of one check.

    Parameters
    ----------
    status : str
        ``passed``; ``failed``; ``skipped`` (does not apply); ``expected`` (failed as declared);
        ``unexpected`` (declared to fail, but passes: the declaration is out of date).
    reason : str
        Empty when passed.
    """

    kind: str
    name: str
    check: str
    status: Status
    reason: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.status not in ("failed", "unexpected")


@dataclass
class _Catalogue:
    checks: dict[str, list[Check]] = field(default_factory=dict)


_CATALOGUE = _Catalogue()


def check(kind: str) -> Callable[[CheckFunction], CheckFunction]:
    """Add a function ``(subject, context)`` to the checks of a kind, under its own name."""

    def add(function: CheckFunction) -> CheckFunction:
        name = function.__name__.removeprefix("check_").replace("_", "-")
        _CATALOGUE.checks.setdefault(kind, []).append(Check(kind, name, function))
        return function

    return add


def checks_of(kind: str) -> tuple[Check, ...]:
    """All checks of a kind.

    Raises
    ------
    UnknownNameError
        For a kind without checks.
    """
    from attns_core.testing import (  # noqa: F401 (importing them adds their checks)
        backend_checks,
        corrector_checks,
        equation_checks,
        method_checks,
        metric_checks,
        solver_checks,
    )

    if kind not in _CATALOGUE.checks:
        raise UnknownNameError("kind with checks", kind, _CATALOGUE.checks)
    return tuple(_CATALOGUE.checks[kind])


def checked_kinds() -> tuple[str, ...]:
    """Kinds that have checks."""
    checks_of("solver")
    return tuple(_CATALOGUE.checks)


def expected_failures_of(subject: Any) -> dict[str, str]:
    """Failures that the object itself declares: check name -> reason."""
    return dict(getattr(subject, "expected_failures", None) or {})


def run_checks(
    context: Context,
    kind: str,
    name: str,
    *,
    only: Sequence[str] = (),
    expected: Mapping[str, str] | None = None,
) -> list[CheckResult]:
    """Run the checks of a kind on a registered object; never raises for a failed one.

    Parameters
    ----------
    only : sequence of str
        Names of checks to run (default all).
    expected : mapping
        Check name -> reason for failing, in addition to what the object declares.

    Raises
    ------
    UnknownNameError
        For an unknown kind, object or check.
    """
    checks = checks_of(kind)
    known = [c.name for c in checks]
    for wanted in [*only, *(expected or {})]:
        if wanted not in known:
            raise UnknownNameError(f"check of a {kind}", wanted, known)
    subject = context.registry.get(kind, name)
    reasons = expected_failures_of(subject) | dict(expected or {})
    return [run_check(c, subject, context, reasons.get(c.name)) for c in checks if not only or c.name in only]


def run_check(item: Check, subject: Any, context: Context, expected: str | None = None) -> CheckResult:
    """Run one check; ``expected`` is the reason why it is known to fail."""
    start = time.perf_counter()
    status: Status = "passed"
    reason = ""
    try:
        item.run(subject, context)
        if expected is not None:
            status, reason = "unexpected", f"declared to fail ({expected}), but passes"
    except CheckSkipped as skipped:
        status, reason = "skipped", str(skipped)
    except Exception as error:
        reason = str(error) if isinstance(error, CheckFailure | AttnsError) else f"{type(error).__name__}: {error}"
        status = "failed"
        if expected is not None:
            status, reason = "expected", expected
    seconds = time.perf_counter() - start
    return CheckResult(
        kind=item.kind, name=subject.name, check=item.name, status=status, reason=reason, seconds=seconds
    )


def require(condition: Any, message: str) -> None:
    """Fail the check unless ``condition`` holds."""
    if not condition:
        raise CheckFailure(message)

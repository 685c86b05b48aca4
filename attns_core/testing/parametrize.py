"""The kit as a parametrised pytest test."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attns_core.registry import Registry, build_registry
from attns_core.testing.kit import Context, checks_of, expected_failures_of, run_check


def conformance_tests(
    kind: str,
    names: str | Sequence[str],
    *,
    expected_failures: Mapping[str, str] | None = None,
    skip: Sequence[str] = (),
    plugin_files: Sequence[str | Path] = (),
    registry: Registry | None = None,
) -> Callable[..., None]:
    """A test function, parametrised over the checks of a kind and the named objects.

    Parameters
    ----------
    kind : str
        ``solver``, ``equation``, ``method``, ``corrector``, ``backend`` or ``metric``.
    names : str or sequence of str
        As registered.
    expected_failures : mapping
        Check name -> reason; such a check must fail, so that the declaration cannot go out of date.
    skip : sequence of str
        Checks not to run at all (slow ones that another test covers).
    plugin_files : sequence of path
        Single-file plugins to load.
    registry : Registry, optional
        Default: a new one with everything installed.
    """
    import pytest

    files = tuple(Path(f).resolve() for f in plugin_files)
    found = build_registry(plugin_files=files) if registry is None else registry
    context = Context(registry=found, plugin_files=files)
    wanted = [names] if isinstance(names, str) else list(names)
    cases = [(name, item) for name in wanted for item in checks_of(kind) if item.name not in skip]

    @pytest.mark.parametrize(("name", "item"), cases, ids=[f"{name}-{item.name}" for name, item in cases])
    def test_conformance(name: str, item: Any) -> None:
        subject = found.get(kind, name)
        reasons = expected_failures_of(subject) | dict(expected_failures or {})
        result = run_check(item, subject, context, reasons.get(item.name))
        if result.status == "skipped":
            pytest.skip(result.reason)
        if result.status == "expected":
            pytest.xfail(result.reason)
        assert result.ok, f"{name}, {item.name}: {result.reason}"

    return test_conformance

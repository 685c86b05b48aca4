"""Everything registered runs through the kit that third parties use."""

from attns_core import build_registry
from attns_core.testing import conformance_tests

REGISTRY = build_registry()


def _names(kind: str) -> list[str]:
    return [n for n in REGISTRY.names(kind) if REGISTRY.owner(kind, n).distribution == "attns"]


test_equations = conformance_tests("equation", _names("equation"), registry=REGISTRY)
test_methods = conformance_tests("method", _names("method"), registry=REGISTRY)
test_correctors = conformance_tests("corrector", _names("corrector"), registry=REGISTRY)
test_backends = conformance_tests("backend", _names("backend"), registry=REGISTRY)
test_metrics = conformance_tests("metric", _names("metric"), registry=REGISTRY)

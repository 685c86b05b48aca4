"""The conformance kit of AttNS on example-corrector."""

from attns_core.testing import conformance_tests

# A check that cannot pass is declared: expected_failures={"check-name": "the reason"}.
test_example_corrector = conformance_tests("corrector", "example-corrector")

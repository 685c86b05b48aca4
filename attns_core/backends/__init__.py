"""Backends that ship with AttNS; ``numpy_reference`` is the oracle of the others."""

"""Compiled kernels on arrays and scalars; they import nothing else of ours."""

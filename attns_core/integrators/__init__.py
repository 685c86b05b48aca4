"""Trusted integrators: what references are made with. Accurate first; none is a solver under test.

Each module has one ``integrate(problem, rtol) -> states`` of shape ``(n_save, dim, n)``, with NaN from
where a trajectory was lost. They share no code beyond the right-hand side, so that their agreement
means something.
"""

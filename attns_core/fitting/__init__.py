"""Fitting correctors: features, linear heads by ridge least squares, trained features by variable projection."""

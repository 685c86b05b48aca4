"""Numerics, contracts and the registry of AttNS.

Everything a plugin author needs is importable from this package; its modules are an implementation
detail. Importing it is cheap: numba, torch, SymPy and SciPy are imported where they are first used.
"""

from attns_core.black_box import BlackBoxSolver as BlackBoxSolver
from attns_core.black_box import black_box as black_box
from attns_core.citation import Citation as Citation
from attns_core.control import Adaptive as Adaptive
from attns_core.control import FixedStep as FixedStep
from attns_core.control import FrozenSteps as FrozenSteps
from attns_core.control import StepControl as StepControl
from attns_core.control import StepsPerSave as StepsPerSave
from attns_core.equation import Equation as Equation
from attns_core.equation import Invariant as Invariant
from attns_core.errors import AttnsError as AttnsError
from attns_core.errors import UnknownNameError as UnknownNameError
from attns_core.exponential import ExponentialRungeKutta as ExponentialRungeKutta
from attns_core.hookspecs import hookimpl as hookimpl
from attns_core.method import AbstractMethod as AbstractMethod
from attns_core.method import ExplicitRungeKutta as ExplicitRungeKutta
from attns_core.method import Rosenbrock as Rosenbrock
from attns_core.method import Splitting as Splitting
from attns_core.method import ZeroIncrement as ZeroIncrement
from attns_core.parameters import Params as Params
from attns_core.problem import Problem as Problem
from attns_core.registry import Registry as Registry
from attns_core.registry import build_registry as build_registry
from attns_core.solution import Solution as Solution
from attns_core.solver import AbstractSolver as AbstractSolver
from attns_core.solver import OneStepSolver as OneStepSolver
from attns_core.solver import solve as solve
from attns_core.tableau import ButcherTableau as ButcherTableau
from attns_core.version import __version__ as __version__

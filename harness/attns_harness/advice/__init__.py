"""Advice: is a learned step worth training for an equation, an error and a number of trajectories?

The answer rests on the stored regime map (``regime_map.json``, measured by ``studies/regimes.toml``) and
on a short calibration of the equation at hand on this machine.
"""

from attns_harness.advice.calibration import Calibration as Calibration
from attns_harness.advice.calibration import calibrate as calibrate
from attns_harness.advice.judgement import Advice as Advice
from attns_harness.advice.judgement import advise as advise

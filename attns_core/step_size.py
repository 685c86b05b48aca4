r"""Step-size control: one rule, whose constants every backend takes from here.

With the error norm ``e`` of an attempted step (at most 1: accepted), ``e_old`` that of the last
accepted full step, and ``q`` the power of ``dt`` with which the estimate scales:

.. math::

    dt_{new} = dt \cdot \min\bigl(f_{max}, \max\bigl(f_{min},
               s \, e^{-(1/q - 0.75 \beta)} \, e_{old}^{\beta}\bigr)\bigr), \qquad \beta = 0.2 / q

which for ``q = 5`` is the controller of the code DOPRI5 (Hairer, Norsett, Wanner, Solving Ordinary
Differential Equations I, II.4; Gustafsson, ACM TOMS 17 (1991) 533). A rejected step shrinks by
``s e^{-1/q}`` alone, never below ``f_min``, and the step after it does not grow.

Saved times are landed on, by a last step of what is left. Two steps ahead of one, what is left is halved: a full step
and a sliver cost as much and are less accurate (as the code RKF45 does; Shampine, Watts, Applied Mathematics and
Computation 5 (1979) 93). A step so cut short (by more than the part that ``reach`` allows) has a length that
the rule did not choose: the next one is ``s e^{-1/q}`` times as long, and ``e_old`` stays. One of less than half the
proposed length says nothing against it.
"""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PIController:
    """The constants of the rule.

    Parameters
    ----------
    safety : float
        ``s``: aim below the tolerance, since a rejected step costs more than a slightly short one.
    min_factor, max_factor : float
        Bounds of the change from one step to the next.
    beta : float
        ``beta * q``; the integral part damps oscillations of the step length where stability limits it.
    least_error : float
        Floor of ``e_old``, so that one lucky step does not throttle the next.
    reach : float
        A step is stretched to the next saved time, or half the way, when ``reach`` times its length would reach it.
    """

    safety: float = 0.9
    min_factor: float = 0.2
    max_factor: float = 10.0
    beta: float = 0.2
    least_error: float = 1e-4
    reach: float = 1.01

    def exponents(self, error_power: int) -> tuple[float, float]:
        """The exponents of ``e`` (proportional) and of ``e_old`` (integral) for ``q = error_power``."""
        beta = self.beta / error_power
        return 1 / error_power - 0.75 * beta, beta


CONTROLLER = PIController()

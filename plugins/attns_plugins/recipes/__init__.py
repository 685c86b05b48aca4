"""Training recipes: one file each, plus one line here."""

from attns_core import hookimpl
from attns_core.recipe import AbstractRecipe
from attns_plugins.recipes.adam import ADAM
from attns_plugins.recipes.adam_published import ADAM_PUBLISHED
from attns_plugins.recipes.lsq import LSQ
from attns_plugins.recipes.rollout import ROLLOUT
from attns_plugins.recipes.tableau_lm import TABLEAU_LM
from attns_plugins.recipes.varpro_lm import VARPRO_LM

RECIPES: tuple[AbstractRecipe, ...] = (ADAM, ADAM_PUBLISHED, LSQ, ROLLOUT, TABLEAU_LM, VARPRO_LM)


@hookimpl
def attns_recipes() -> tuple[AbstractRecipe, ...]:
    return RECIPES

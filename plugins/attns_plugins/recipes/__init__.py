"""Training recipes: one file each, plus one line here."""

from attns_core import hookimpl
from attns_core.recipe import AbstractRecipe
from attns_plugins.recipes.lsq import LSQ

RECIPES: tuple[AbstractRecipe, ...] = (LSQ,)


@hookimpl
def attns_recipes() -> tuple[AbstractRecipe, ...]:
    return RECIPES

"""Training recipes: one file each, plus one line here."""

from attns_core import hookimpl
from attns_core.recipe import AbstractRecipe

RECIPES: tuple[AbstractRecipe, ...] = ()


@hookimpl
def attns_recipes() -> tuple[AbstractRecipe, ...]:
    return RECIPES

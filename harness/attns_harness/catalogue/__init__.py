"""The catalogue: one page for everything registered, generated from its metadata."""

from attns_harness.catalogue.equation import equation_page as equation_page
from attns_harness.catalogue.formula import formula_svg as formula_svg
from attns_harness.catalogue.picture import solution_svg as solution_svg
from attns_harness.catalogue.write import write_catalogue as write_catalogue

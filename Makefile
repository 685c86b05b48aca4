# Everything runs from an empty checkout: the first target that needs it makes .venv.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
APT := apt-get -qq update && apt-get -qq install -y --no-install-recommends
INTEROP := $(wildcard plugins/interop/pyproject.toml)

# One thread per process: the work runs in parallel processes.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
export NUMEXPR_NUM_THREADS ?= 1
# Tests that use several threads set their own number.
TEST_WORKERS ?= 2

.PHONY: install test test-browser test-latex lint docs demo bench soak studies results clean
.DELETE_ON_ERROR:

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt $(INTEROP)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e . --group dev
	$(if $(INTEROP),$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e plugins/interop)
	touch $@

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright
	$(BIN)/lint-imports

# Checks first: they are quick. The last line printed is pytest's summary.
test: lint
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal

# Reports in a browser: Chromium and its driver from the system's packages, axe-core from npm.
test-browser: .browser/.installed
	$(BIN)/python -m pytest -m browser -n 0 tests/harness/test_in_browser.py

.browser/.installed: $(STAMP) pyproject.toml
	{ command -v chromium && command -v chromedriver; } > /dev/null || ($(APT) chromium chromium-driver) || \
	  { echo "make test-browser needs Debian's packages chromium and chromium-driver: install them, or run as root" >&2; exit 1; }
	command -v npm > /dev/null || ($(APT) npm) || \
	  { echo "make test-browser needs npm: install it, or run as root" >&2; exit 1; }
	npm install --silent --no-audit --no-fund --prefix .browser axe-core@4 || \
	  { echo "make test-browser could not install axe-core with npm" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group browser
	touch $@

# LaTeX reports through pdflatex.
test-latex: $(STAMP)
	{ command -v pdflatex && command -v bibtex && kpsewhich booktabs.sty; } > /dev/null || \
	  ($(APT) texlive-latex-base texlive-latex-recommended) || \
	  { echo "make test-latex needs Debian's packages texlive-latex-base and texlive-latex-recommended:" \
	    "install them, or run as root" >&2; exit 1; }
	$(BIN)/python -m pytest -m latex -n 0 tests/harness/test_latex_compiles.py

# The long suites: kills at fifty random moments, ten thousand cells.
soak: $(STAMP)
	$(BIN)/python -m pytest -m soak -n 0

demo: $(STAMP)
	$(BIN)/attns run examples/demo.toml
	$(BIN)/attns run studies/limited_data.toml --quick --out results/demo/limited_data
	$(BIN)/attns report results/demo/limited_data --format claims

# A static site in site/, the catalogue of everything registered included.
docs: $(STAMP)
	$(BIN)/mkdocs build --strict --quiet

# Timings mean something on an otherwise idle machine only.
bench: .bench-venv/.installed
	.bench-venv/bin/python benchmarks/compare.py $(BENCH)

# The libraries compared with live in an environment of their own.
.bench-venv/.installed: benchmarks/requirements.txt pyproject.toml constraints.txt
	test -x .bench-venv/bin/python || $(PYTHON) -m venv .bench-venv
	.bench-venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r benchmarks/requirements.txt -e .
	touch $@

# Every published study, continued where it stopped.
studies: $(STAMP)
	@for matrix in studies/*.toml; do echo "== $$matrix"; $(BIN)/attns run --allow-failures $$matrix || exit 1; done

# Reports and site of the published runs, from their stored tables alone: nothing is solved again.
PUBLISHED := $(sort $(filter-out results/demo results/%-quick,$(patsubst %/tables/results.parquet,%,$(wildcard results/*/tables/results.parquet))))
results: $(STAMP)
	@for run in $(PUBLISHED); do $(BIN)/attns report $$run --format md,claims > /dev/null || exit 1; done
	$(BIN)/attns publish $(PUBLISHED) --site results/site --format html --check

clean:
	rm -rf .venv .browser build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache results/demo

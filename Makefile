# Everything runs from an empty checkout: the first target that needs it makes .venv.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
INTEROP := $(wildcard plugins/interop/pyproject.toml)

# One thread per process: the work runs in parallel processes.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
export NUMEXPR_NUM_THREADS ?= 1
# Tests that use several threads set their own number.
TEST_WORKERS ?= 2

.PHONY: install test lint docs demo bench soak results clean
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
results: $(STAMP)
	@for matrix in studies/*.toml; do echo "== $$matrix"; $(BIN)/attns run $$matrix || exit 1; done

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache results/demo

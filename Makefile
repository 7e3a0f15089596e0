# Everything a fresh machine needs is Python >= 3.11, make and a C++ compiler: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export MFREC_DATA_HOME ?= $(CURDIR)/data

.DEFAULT_GOAL := help
.PHONY: help demo test check docs notebooks format clean serving-env bench bench-smoke

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# the stamp is newer than both files only when the environment was made from them
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mfrec needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/.installed  ## fit MovieLens 100K (or the built-in sample) and show the four directions
	$(BIN)/mfrec demo

# matrices of tests are small: threads of BLAS only get into each other's way
test: $(VENV)/.installed  ## run the test suite
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q

check: $(VENV)/.installed  ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

serving-env:  ## build .venv-serve, which can serve and nothing else, and check it
	.ci/serving-env .venv-serve $(PYTHON)

format: $(VENV)/.installed  ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

docs: $(VENV)/.docs  ## build the documentation as a site, in site/
	NO_MKDOCS_2_WARNING=1 PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/mkdocs build --quiet

$(VENV)/.notebooks: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[notebooks]'
	@touch $@

notebooks: $(VENV)/.notebooks  ## execute the notebooks from top to bottom; SAVE=1 keeps their outputs
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python .ci/notebooks.py $(if $(SAVE),--save)

# what draws the report's plots; without it there are none
$(VENV)/.bench: $(VENV)/.installed
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[plots]' && touch $@

# ScaNN is built for one TensorFlow release at a time, and not for every machine: without it the rest still runs.
# TensorFlow never enters mfrec's environment. Without the network the benchmark runs mfrec's side alone and says so.
.venv-tfrs/.installed: benchmarks/two_tower/constraints-tfrs.txt
	-$(PYTHON) -m venv .venv-tfrs && .venv-tfrs/bin/python -m pip install --quiet --disable-pip-version-check \
		-c benchmarks/two_tower/constraints-tfrs.txt tensorflow tf-keras tensorflow-recommenders && touch $@
	-.venv-tfrs/bin/python -m pip install --quiet --disable-pip-version-check -c benchmarks/two_tower/constraints-tfrs.txt scann

bench: $(VENV)/.bench .venv-tfrs/.installed  ## mfrec against a TensorFlow two-tower: about five hours; resumes, unless FRESH=1
	$(BIN)/python -m benchmarks.two_tower.run $(if $(FRESH),--fresh)
	$(BIN)/python -m benchmarks.two_tower.report --take benchmarks/two_tower/raw

bench-smoke: $(VENV)/.bench .venv-tfrs/.installed  ## the same with one epoch of a small sample: minutes
	$(BIN)/python -m benchmarks.two_tower.run --smoke

clean:  ## remove the environment and every cache; data and models stay
	rm -rf $(VENV) .venv-tfrs .venv-serve build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

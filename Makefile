# `make demo` and `make test` set everything up by themselves; `make help` lists the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TOOLS  := $(VENV)/.tools

# the first of these interpreters that is there; the oldest versions have no builds for Python 3.13
first  = $(firstword $(foreach python,$(1),$(shell $(python) -c 'import sys; print(sys.executable)' 2>/dev/null)))
pyenv  = $(lastword $(sort $(wildcard $(HOME)/.pyenv/versions/$(1).*/bin/python3)))
PYTHON_NEWEST ?= $(call first,python3.13 $(call pyenv,3.13) python3.12 $(call pyenv,3.12) $(PYTHON))
PYTHON_OLDEST ?= $(call first,python3.11 $(call pyenv,3.11) python3.12 $(call pyenv,3.12))
NEWEST := .venv-newest
OLDEST := .venv-oldest
TESTS  ?=
SAMPLE := tests/test_metadata.py tests/test_architecture.py tests/autodiff/test_api.py tests/autodiff/test_calls.py \
  tests/autodiff/test_compiled.py tests/autodiff/test_explain.py tests/autodiff/test_objects.py \
  tests/programs/statements/test_degree.py tests/programs/statements/test_modelled.py tests/programs/test_program.py \
  tests/programs/solvers tests/nn/test_chain.py tests/training/test_checkpoint.py tests/patterns/sites/test_sites.py

.PHONY: help setup demo test test-times test-newest test-oldest sample-newest sample-oldest docs benchmark clean

help:            ## list the commands
	@grep -hE '^[a-z-]+: .*##|^[a-z-]+:  +##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## make .venv and install argflux with its command

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "got $$($(PYTHON) --version), expected Python 3.11 or newer: set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e .
	@touch $(READY)

$(TOOLS): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade -c constraints.txt 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt --group dev
	@touch $(TOOLS)

demo: setup      ## train a classifier on the handwritten digits; pictures go to runs/
	$(BIN)/argflux demo

test: $(TOOLS)      ## format check, lint, types, then every test on all cores
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/pytest -n auto --dist worksteal

test-times: $(TOOLS) ## CPU seconds, compiled programs and memory of the tests, by file; TESTS= names some
	$(BIN)/python -m pytest -p tests.costs $(TESTS)

test-newest:     ## the tests on the newest versions that the metadata allows; TESTS= names some
	$(PYTHON_NEWEST) -m venv $(NEWEST)
	$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade --upgrade-strategy eager --group dev -e .
	@$(NEWEST)/bin/python -m pip list --format freeze | grep -E '^(jax|numpy|scipy|optax|equinox|highspy|daqp|cvxpy|clarabel|piqp|asdex)=='
	$(NEWEST)/bin/pytest -n auto --dist worksteal $(TESTS)

test-oldest:     ## the tests on the oldest versions that the metadata allows; TESTS= names some
	$(PYTHON_OLDEST) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-oldest.txt --group dev -e .
	@$(OLDEST)/bin/python -m pip list --format freeze | grep -E '^(jax|numpy|scipy|optax|equinox|highspy|daqp|cvxpy|clarabel|piqp|asdex)=='
	$(OLDEST)/bin/pytest -n auto --dist worksteal $(TESTS)

sample-newest sample-oldest: sample-%:
	@python='$(if $(filter newest,$*),$(PYTHON_NEWEST),$(PYTHON_OLDEST))'; \
	if [ -n "$$python" ]; then $(MAKE) test-$* TESTS='$(SAMPLE)'; \
	else echo "skipped: no interpreter for the $* versions"; fi

docs: $(TOOLS)      ## build the tutorials into docs/_build
	$(BIN)/sphinx-build -W -q docs docs/_build

benchmark: $(TOOLS) ## run the benchmarks beside their peers
	$(BIN)/python -m pip install --quiet -c constraints.txt -r benchmarks/requirements.txt
	$(BIN)/python -m benchmarks

clean:           ## remove the environment and what runs have written
	rm -rf $(VENV) $(NEWEST) $(OLDEST) runs docs/_build

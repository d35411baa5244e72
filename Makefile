# `make demo` and `make test` set everything up by themselves; `make help` lists the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help setup demo test test-times lint docs benchmark clean

help:            ## list the commands
	@grep -hE '^[a-z-]+: .*##|^[a-z-]+:  +##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## make .venv and install argflux with its command

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "got $$($(PYTHON) --version), expected Python 3.11 or newer: set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade -c constraints.txt 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group dev -e .
	@touch $(READY)

demo: setup      ## train a classifier on the handwritten digits; pictures go to runs/
	$(BIN)/argflux demo

test: setup      ## format check, lint, types, then every test on all cores
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/pytest -n auto --dist worksteal

test-times: setup ## CPU seconds, compiled programs and memory of the tests, by file (FILES=tests/nn for some)
	$(BIN)/python -m pytest -p tests.costs $(FILES)

docs: setup      ## build the tutorials into docs/_build
	$(BIN)/sphinx-build -W -q docs docs/_build

benchmark: setup ## run the benchmarks beside their peers
	$(BIN)/python -m pip install --quiet -c constraints.txt -r benchmarks/requirements.txt
	$(BIN)/python -m benchmarks

clean:           ## remove the environment and what runs have written
	rm -rf $(VENV) runs docs/_build

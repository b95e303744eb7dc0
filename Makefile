# Two commands set up a fresh machine: `make demo` and `make test`. Needs Python >= 3.11; a C compiler makes it fast.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
CORE   := $(shell find lanecast -name '*.pxd') $(patsubst %.pxd,%.py,$(filter-out %/__init__.pxd,$(shell find lanecast -name '*.pxd')))
DEMO   ?= results/demo
DATA   ?= ../shared/data

.PHONY: demo test test-fast check format build golden reproduce bench clean

demo: $(VENV)/.user  ## token streaming over a mobile link: a table and a figure, in under three minutes
	$(BIN)/lanecast run demo --out $(DEMO)
	$(BIN)/lanecast table $(DEMO) schemes
	$(BIN)/lanecast plot $(DEMO) sequence -o $(DEMO)/tokens.png --where channel=radio \
	  --where scheme=rack-tlp,duplicate,eloquent,adaptive

test: $(VENV)/.dev  ## the whole suite, compiled and then as plain Python
	$(BIN)/python -m pytest
	LANECAST_PURE=1 $(BIN)/python -m pytest

test-fast: $(VENV)/.dev  ## the suite once, in the form that is installed
	$(BIN)/python -m pytest -x

check: $(VENV)/.dev  ## format, lint, types, import contracts, size of files and functions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/house.py

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

build: $(VENV)/.dev  ## compile the core again after an edit
	$(BIN)/python setup.py -q build_ext --inplace

golden: $(VENV)/.dev  ## make the golden tables again; read the diff
	$(BIN)/python -m pytest tests/golden --update-golden

reproduce: $(VENV)/.user  ## the claims of docs/REPRODUCE.md on the real traces
	$(BIN)/lanecast reproduce eloquent --data $(DATA)
	$(BIN)/lanecast reproduce l4s --data $(DATA)

bench: $(VENV)/.user
	$(BIN)/lanecast bench engine
	$(BIN)/lanecast bench exactness

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "lanecast needs Python >= 3.11; say PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.user: $(VENV)/.python pyproject.toml setup.py $(CORE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[plot,progress]'
	@touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml setup.py $(CORE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[plot,progress,dev]'
	@touch $@ $(VENV)/.user

clean:
	rm -rf build results .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find lanecast -name '*.so' -delete

# Five verbs: up · demo · test · check · bench. Each sets up its own virtual environment when that is missing or
# when what it is made from has changed.

# The first of these that runs and is new enough; `make PYTHON=… test` names another.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3; do \
  $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
CONTRACT ?= examples/contract.yaml
# Most tests wait for servers of their own; `make test PARALLEL=` runs them one after the other.
PARALLEL ?= -n 5 --dist loadfile --no-loadscope-reorder

# Hundreds of processes of ours would each compile what they import.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: up demo test check bench

up: .venv/ready
	$(BIN)/escrow up $(ARGS)

demo: .venv/ready
	$(BIN)/escrow demo $(CONTRACT) $(ARGS)

test: .venv/ready
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_tidy.py tests/test_import_contracts.py

bench: .venv/ready
	$(BIN)/python -m bench $(ARGS)

.venv/ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -e ".[dev]" -c constraints.txt
	@touch $@

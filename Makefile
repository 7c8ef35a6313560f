# Five verbs: up · demo · test · check · bench. Each sets up its own virtual environment when that is missing or
# when what it is made from has changed.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
CONTRACT ?= examples/contract.yaml

.PHONY: up demo test check bench

up: .venv/ready
	$(BIN)/escrow up $(ARGS)

demo: .venv/ready
	$(BIN)/escrow demo $(CONTRACT)

test: .venv/ready
	$(BIN)/python -m pytest $(ARGS)

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_tidy.py tests/test_import_contracts.py

bench: .venv/ready
	$(BIN)/python -m bench $(ARGS)

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -e ".[dev]" -c constraints.txt
	@touch $@

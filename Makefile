PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
ENV := env -u PYTHONPATH

.PHONY: help demo test test-slow check types format bench lock clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python 3.11 or newer is needed, {sys.executable} is {v[0]}.{v[1]}: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED) ## Install, then run the whole job on data that comes with the install
	$(ENV) $(BIN)/headstart demo

test: $(INSTALLED) ## Install, then run the tests
	$(ENV) $(BIN)/python -m pytest -m "not slow"

test-slow: $(INSTALLED) ## Run the tests that take minutes
	$(ENV) $(BIN)/python -m pytest -m slow

check: $(INSTALLED) types ## Check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED) ## Check types (mypy, strict)
	@mkdir -p .link && ln -sfn .. .link/headstart
	$(BIN)/mypy

format: $(INSTALLED) ## Format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED) ## Measure extraction and fine-tuning against their peers, in turns
	$(ENV) $(BIN)/python benchmarks/extraction.py
	$(ENV) $(BIN)/python benchmarks/finetuning.py

lock: ## Write constraints.txt anew from the newest versions that resolve
	rm -rf .lock && $(PYTHON) -m venv .lock
	.lock/bin/python -m pip install --quiet --disable-pip-version-check '.[dev]'
	.lock/bin/python -m pip freeze --exclude headstart > constraints.txt
	rm -rf .lock

clean: ## Remove the environment and what was built
	rm -rf $(VENV) .lock .link build dist *.egg-info

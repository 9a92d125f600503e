PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
ENV := env -u PYTHONPATH

.PHONY: help demo test test-slow check types format docs examples site bench lock audit dist smoke clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

# Every package is pinned and its hash compared; nothing else is installed, not even to build.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

$(INSTALLED): pyproject.toml requirements-dev.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python 3.11 or newer is needed, {sys.executable} is {v[0]}.{v[1]}: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --requirement requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED) ## Install, then run the whole job on data that comes with the install
	$(ENV) $(BIN)/headstart demo

# Two processes, each with a core of its own; what a file's tests share is made once.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1

test: $(INSTALLED) ## Install, then run the tests
	$(ENV) $(ONE_THREAD) $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-slow: $(INSTALLED) ## Run the tests that take minutes
	$(ENV) $(ONE_THREAD) $(BIN)/python -m pytest -m slow -n 2 --dist loadfile

check: $(INSTALLED) types site ## Check format, lint, types, which room reads which, and the links of the docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(ENV) $(BIN)/lint-imports
	$(ENV) $(BIN)/python -m pytest -q tests/test_house.py

types: $(INSTALLED) ## Check types (mypy, strict)
	@mkdir -p .link && ln -sfn .. .link/headstart
	$(BIN)/mypy

format: $(INSTALLED) ## Format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(INSTALLED) ## Write docs/help.md anew from --help of every command
	$(ENV) $(BIN)/python docs/help.py
	$(ENV) $(BIN)/python docs/schema.py

examples: $(INSTALLED) ## Run the example notebooks on ../shared/data and keep what they show
	$(ENV) $(BIN)/python examples/execute.py

site: $(INSTALLED) ## Build the docs as a site into site/, a broken link or example page an error
	rm -rf .site
	$(ENV) NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	rm -rf .site

bench: $(INSTALLED) ## Measure extraction, heads, fine-tuning and the service against their peers, in turns
	$(ENV) $(BIN)/python benchmarks/extraction.py
	$(ENV) $(BIN)/python benchmarks/predicting.py
	$(ENV) $(BIN)/python benchmarks/heads.py
	$(ENV) $(BIN)/python benchmarks/finetuning.py
	$(ENV) $(BIN)/python benchmarks/budgets.py
	$(ENV) $(BIN)/python benchmarks/serving.py
	$(ENV) $(BIN)/python benchmarks/labelling.py

lock: ## Write constraints.txt and requirements-dev.lock anew from the newest versions that resolve
	rm -rf .lock && $(PYTHON) -m venv .lock
	.lock/bin/python -m pip install --quiet --disable-pip-version-check '.[dev]'
	.lock/bin/python -m pip freeze --exclude headstart > constraints.txt
	.lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	echo 'setuptools>=77' | .lock/bin/uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --extra dev --constraint constraints.txt \
		--custom-compile-command 'make lock' --output-file requirements-dev.lock pyproject.toml -
	rm -rf .lock

dist: ## Build wheel and source into dist/, and check them as a package index does
	rm -rf .dist dist && $(PYTHON) -m venv .dist
	.dist/bin/python -m pip install --quiet --disable-pip-version-check build twine
	.dist/bin/python -m build --outdir dist .
	.dist/bin/twine check --strict dist/*
	rm -rf .dist build

smoke: dist ## Install the wheel into a bare environment, then with extras, and run every command elsewhere
	rm -rf .smoke && $(PYTHON) -m venv .smoke
	.smoke/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt dist/*.whl
	.smoke/bin/python -m pip check
	bash .ci/smoke .smoke/bin
	.smoke/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		"$$(echo dist/*.whl)[cloud,dask,doctor,export,formats,hub,index,parquet,serve,tensorboard]"
	.smoke/bin/python -m pip check
	EXTRAS=1 bash .ci/smoke .smoke/bin
	rm -rf .smoke

audit: ## Look the pinned packages up among known vulnerabilities; needs the database's network
	rm -rf .audit && $(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	.audit/bin/pip-audit --disable-pip --require-hashes --requirement requirements-dev.lock
	rm -rf .audit

clean: ## Remove the environment and what was built
	rm -rf $(VENV) .lock .audit .dist .link .site .smoke build dist site *.egg-info

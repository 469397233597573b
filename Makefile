# Every command of the project. Only Python 3.11+ and make are needed; `make` lists the targets.
# All paths are relative, so that a checkout may lie under any path.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
ARGS ?=

# Dozens of processes start from these files: let the first keep what it has compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup setup-dev run servers stop test acceptance real-servers bench lint fmt types arch check docs fuzz requirements ci clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

setup: $(VENV)/.runtime  ## make .venv with what the product needs
setup-dev: $(VENV)/.dev  ## and what development needs

run: $(VENV)/.runtime  ## start everything; Ctrl-C stops it
	@$(PY) -m config.run
servers: $(VENV)/.runtime  ## start only PostgreSQL and Valkey, in the background
	@$(PY) -m config.embedded start
stop: $(VENV)/.runtime  ## stop what `run` or `servers` has started
	@$(PY) -m config.run stop

test: $(VENV)/.dev  ## run the tests, in parallel; ARGS="-k feeds" chooses
	@$(PY) -m pytest -q -n logical --dist worksteal $(ARGS)
acceptance: $(VENV)/.dev  ## try the whole as its users meet it; takes minutes
	@$(PY) -m pytest -q -m acceptance --timeout 900 -n logical --dist worksteal $(ARGS)
real-servers: $(VENV)/.dev  ## publish to real servers, installed and started here; what cannot be is skipped
	@$(PY) -m pytest -q -m real_servers --timeout 900 tests/real_servers $(ARGS)
bench: $(VENV)/.dev  ## run every benchmark and keep the results
	@$(PY) -m benchmarks $(ARGS)
lint: $(VENV)/.dev  ## formatting and lint
	@$(PY) -m ruff format --check . && $(PY) -m ruff check .
fmt: $(VENV)/.dev  ## repair formatting and lint
	@$(PY) -m ruff format . && $(PY) -m ruff check --fix .
types: $(VENV)/.dev  ## strict types
	@$(PY) -m mypy .
arch: $(VENV)/.dev  ## imports point one way
	@$(VENV)/bin/lint-imports
check: $(VENV)/.dev  ## Django's system checks and missing migrations
	@$(PY) -m config.check
docs: $(VENV)/.dev  ## write the generated pages of docs/
	@$(PY) -m config.document
	@$(PY) -m config.permissions_page
	@$(PY) manage.py spectacular --fail-on-warn --validate --file docs/openapi.yaml
fuzz: $(VENV)/.dev  ## hold the API against its document for a few minutes
	@API_EXAMPLES=150 $(PY) -m pytest -q -m acceptance tests/test_openapi.py --timeout 900 $(ARGS)
ci: lint types arch check test acceptance  ## everything that a change must pass

requirements: $(VENV)/.dev  ## pin the closure of requirements*.in
	@for name in requirements requirements-otel requirements-dev; do $(PY) -m uv pip compile --quiet --python-version 3.11 --no-header --no-annotate $$name.in -o $$name.txt || exit 1; done

clean:  ## remove the environment and caches; data stays (`python -m config.embedded remove` deletes it)
	@if [ -x $(PY) ]; then $(PY) -m config.run stop; fi
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .schemathesis staticfiles
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Almanac needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=python3.11 ...")'
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PIP) install -r requirements.txt
	@touch $@
$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@$(PIP) install -r requirements-dev.txt
	@touch $@

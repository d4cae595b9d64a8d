.DEFAULT_GOAL := help
.PHONY: help demo serve test check format bench bench-small load constraints clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The demo keeps its own base, so that trying it out touches nothing of yours.
DEMO_HOME ?= $(CURDIR)/.demo
# Tests flush to disk thousands of times: in memory, where it has 4 GB to spare, they take half.
TEST_ROOT = $(shell [ "$$(df -Pm /dev/shm 2>/dev/null | awk 'NR == 2 {print $$4}')" -gt 4000 ] 2>/dev/null && echo /dev/shm)

help: ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=python3.11"; exit 1; }
	@echo "Installing into $(VENV) (the first time this downloads about 500 MB) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/installed ## Install, ingest the starter corpus, answer in French and in English
	@KB_HOME=$(DEMO_HOME) $(BIN)/kb ingest corpus/starter corpus/calls
	@KB_HOME=$(DEMO_HOME) $(BIN)/kb ask "Quel est le plafond des aides de minimis sur trois ans ?"
	@KB_HOME=$(DEMO_HOME) $(BIN)/kb ask "What is an equity guarantee?"
	@echo "Try next:"
	@echo "  export KB_HOME=$(DEMO_HOME)"
	@echo "  $(BIN)/kb ask \"Sous quel délai une subvention doit-elle être payée ?\""
	@echo "  $(BIN)/kb search \"contrat d'engagement républicain\" --language fr"
	@echo "  $(BIN)/kb calls \"aider des femmes victimes de violences\" --as-of 2026-08-15"
	@echo "  $(BIN)/kb ingest PATH     # your own documents; without KB_HOME they go to your own base"
	@echo "  make serve                # http://127.0.0.1:8000"

serve: $(VENV)/installed ## Serve the demo's base over HTTP on port 8000
	@KB_HOME=$(DEMO_HOME) $(BIN)/kb serve

test: $(VENV)/installed-dev ## Run every test
	@PYTEST_DEBUG_TEMPROOT=$(TEST_ROOT) $(BIN)/python -m pytest -q -n 2 --dist loadfile

check: $(VENV)/installed-dev ## Lint, types and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python corpus/build.py --check

format: $(VENV)/installed-dev ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/installed-dev ## Measure speed and memory on the shared corpus
	@$(BIN)/python -m evaluation.speed

bench-small: $(VENV)/installed-dev ## Fail where retrieval or answers fell below the committed figures
	@$(BIN)/kb eval small

load: $(VENV)/installed-dev ## Measure the service under load, then for ten minutes of a soak
	@$(BIN)/python -m evaluation.load
	@$(BIN)/python -m evaluation.load soak

constraints: ## Write constraints.txt from what is installed
	@$(BIN)/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools \
		| sed 's/+cpu$$//' > constraints.txt

clean: ## Remove what was built, and the demo's base
	@rm -rf $(VENV) .demo build ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

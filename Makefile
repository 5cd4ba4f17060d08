# One word each: make help lists them.
PY ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: help demo test test-slow check bench lab format clean
help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

# torch goes first and by its exact version, so that nothing else pulls in another build of it.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PY) -c 'import sys; sys.exit("Ganglion needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Give another one: make PY=python3.12 ...") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PY) -m venv .venv
	@echo "setting up .venv (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $$(grep '^torch==' constraints.txt)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED) ## train, diagnose and save a network on the census sample, write a report
	@$(BIN)/ganglion demo

test: $(INSTALLED) ## the fast suite
	@$(BIN)/python -m pytest -n 2 -m "not slow and not alone"
	@$(BIN)/python -m pytest -m "alone and not slow"

test-slow: $(INSTALLED) ## what takes minutes, or needs the measuring data
	@$(BIN)/python -m pytest -m slow

check: $(INSTALLED) ## format, lint, types, house rules
	@$(BIN)/ruff format --check src tests benchmarks examples
	@$(BIN)/ruff check src tests benchmarks examples
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/house

format: $(INSTALLED) ## put the source into the house format
	@$(BIN)/ruff format src tests benchmarks examples
	@$(BIN)/ruff check --fix src tests benchmarks examples

bench: $(INSTALLED) ## the measured tables of the docs (installs the peers)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

lab: $(INSTALLED) ## every experiment of the lab in full; writes docs/lab.md
	@$(BIN)/python -m ganglion.lab.page docs/lab.md

clean: ## remove what make set up
	rm -rf .venv demo-output

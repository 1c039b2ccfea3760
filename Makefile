# Two commands do everything: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NIGHT ?= night

.PHONY: run test test-all check bench docs clean

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

run: $(VENV)/.ready  ## a night of research in miniature, in ./night
	@test -e $(NIGHT)/memex.toml || $(BIN)/memex init $(NIGHT) --target microgpt
	$(BIN)/memex --lab $(NIGHT) run --runs 8
	@echo "To look at it: $(BIN)/memex --lab $(NIGHT) serve"

test: $(VENV)/.ready  ## the tests of every day
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist worksteal

test-all: $(VENV)/.ready  ## these and the slow ones
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(VENV)/.ready  ## format, types, layers, size
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python bench/size.py

bench: $(VENV)/.ready  ## the numbers that are published
	$(BIN)/python bench/run.py

docs: $(VENV)/.ready  ## docs/commands.md, tables.md and lint.md, from docstrings
	$(BIN)/python docs/make.py

clean:
	rm -rf $(VENV) $(NIGHT) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

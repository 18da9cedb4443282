# What can I do here?  `make demo` shows the room, `make test` proves it; `make help` lists all.
# `check` changes nothing; `fix` repairs what a machine can and regenerates the derived pages.

BIN := .venv/bin
PYTHON_FILES := saferoom tests benchmarks tools
RULES := saferoom/errors.py,saferoom/canonical.py,saferoom/crypto/*,saferoom/tlog/*,saferoom/core/*

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long check fix coverage bench docs lock

help:
	@echo 'make setup        .venv with everything for working on the room (locks/dev.lock)'
	@echo 'make demo         a room with synthetic data on 127.0.0.1:8321 (locks/room.lock)'
	@echo 'make test         every test but the long counts; ARGS go to pytest'
	@echo 'make test-long    the full counts of the promises'
	@echo 'make check        format, lint, types, floors, locks, derived pages; changes nothing'
	@echo 'make fix          format, repair, regenerate'
	@echo 'make coverage     the tests again, measured: 100 % on the rules, 90 % elsewhere'
	@echo 'make bench        NAME=scoring ARGS="--quick --json"'
	@echo 'make docs         the site in site/'
	@echo 'make lock         resolve the locks anew; ARGS=--upgrade for newer versions'

setup:
	@sh tools/environment.sh dev

demo:
	@sh tools/environment.sh room
	@exec $(BIN)/saferoom demo $(ARGS)

# A file's tests stay together: they share what is dear to make. ARGS=-n0 runs one after another.
RUN := python -m pytest
test: setup
	@exec $(BIN)/$(RUN) -m "not long" -n auto --maxprocesses 4 --dist loadfile $(ARGS)

test-long: setup
	@exec $(BIN)/python -m pytest -m long -o faulthandler_timeout=0 $(ARGS)

check: setup
	@$(BIN)/ruff format --check --quiet $(PYTHON_FILES)
	@$(BIN)/ruff check --quiet $(PYTHON_FILES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/check_locks.py
	@$(BIN)/python tools/derive_docs.py --check

fix: setup
	@$(BIN)/ruff check --fix $(PYTHON_FILES)
	@$(BIN)/ruff format $(PYTHON_FILES)
	@$(BIN)/python tools/derive_docs.py

# `make test`, measured, and then the thresholds; CI runs the tests this way, once.
coverage: setup
	@$(BIN)/coverage erase
	@$(MAKE) --no-print-directory test RUN='coverage run -m pytest'
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --include='$(RULES)' --fail-under=100
	@$(BIN)/coverage report --omit='$(RULES)' --fail-under=90

bench: setup
	@exec $(BIN)/python benchmarks/$(NAME).py $(ARGS)

docs: setup
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# uv resolves; it is in no lock, and its locks name no address (tools/check_locks.py).
# room.lock and all.lock take dev.lock's versions, so that one environment serves both.
UV_LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet $(ARGS)
lock: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(UV_LOCK) --all-extras --group dev -o locks/dev.lock
	@$(UV_LOCK) --all-extras --group build --constraint locks/dev.lock -o locks/all.lock
	@$(UV_LOCK) --extra room --group build --constraint locks/dev.lock -o locks/room.lock
	@$(BIN)/python tools/check_locks.py

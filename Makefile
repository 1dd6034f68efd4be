# OpenAMI: `make demo` and `make test` are all a newcomer needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo up test coverage test-long fuzz test-cluster test-crash lint format bench changelog migrations clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(VENV)/.installed ## A street, a month, from the meters to the bills; EXIT=1 ends it instead of leaving the console open
	@$(BIN)/openami demo $(if $(EXIT),--exit)

up: $(VENV)/.installed ## The landscape against the real clock
	@$(BIN)/openami up

test: $(VENV)/.installed-dev ## All tests
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=12 $(ARGS)

coverage: $(VENV)/.installed-dev ## All tests, and which lines and branches they reach: slower
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term --durations=12 $(ARGS)

test-long: $(VENV)/.installed-dev ## The same tests, forty times the examples of each property, every kill and bad line
	@OPENAMI_TEST_PROFILE=long $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --timeout 3600 $(ARGS)

fuzz: $(VENV)/.installed-dev ## Feed every decoder of the field with made-up bytes; SECONDS=60 for each
	@$(BIN)/python tools/fuzz.py --seconds $(or $(SECONDS),60)

test-cluster: $(VENV)/.installed-dev ## A fleet on real servers: PostgreSQL, S3, Dask; a worker is killed on the way
	@OPENAMI_TEST_PROFILE=long $(BIN)/pytest tests/cluster --timeout 3600 $(ARGS)

test-crash: $(VENV)/.installed-dev ## Fifty loads killed at random points: nothing acknowledged is lost, nothing is torn
	@OPENAMI_TEST_PROFILE=long $(BIN)/pytest tests/mdus/loading/test_crashes.py --timeout 3600 $(ARGS)

lint: $(VENV)/.installed-dev ## ruff, mypy and the import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## Format and mend what ruff can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-dev ## Measure; QUICK=1 for a small fleet; writes bench/results.json
	@$(BIN)/python -m bench.run $(if $(QUICK),--quick)

changelog: $(VENV)/.installed-dev ## Gather the fragments of changes/ into CHANGELOG.md
	@$(BIN)/python tools/changelog.py

migrations: $(VENV)/.installed-dev ## Write the Alembic revisions that the tables need
	@$(BIN)/python tools/migrations.py

clean: ## Remove the environment and all that was built; data/ stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*

$(VENV)/.installed: pyproject.toml
	@PYTHON=$(PYTHON) sh tools/install.sh $(VENV)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	@PYTHON=$(PYTHON) sh tools/install.sh $(VENV) dev
	@touch $@

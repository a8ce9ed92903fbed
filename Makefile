# Every target sets itself up: Python 3.11 or newer and make are all it takes. Nothing is installed outside .venv.
# The first that runs and is new enough: a name on the path may be a shim with nothing behind it.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
  $$name -c '$(NEW_ENOUGH)' 2> /dev/null && echo $$name && break; done)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup demo test test-postgres load check bench soak growth catalogue snapshots attacks format lock package clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)  ## watch an assistant's client work, and be stopped, in the sandbox
	@$(BIN)/saasus-mcp demo

test: $(READY)  ## every test, with branch coverage
	@rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-postgres: $(READY)  ## what is kept, on a PostgreSQL server that is there only for this
	@$(BIN)/python scripts/with_postgres.py $(BIN)/pytest -k postgresql

load: $(READY)  ## 32 clients at once, before one server and two, on both databases: numbers, and nothing lost
	@SAASUS_MCP_TEST_LOAD=32x50 $(BIN)/python scripts/with_postgres.py $(BIN)/pytest -q tests/hosting/test_load.py

check: $(READY)  ## format, lint, types, layers, dependencies, and that what is generated is fresh
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache
	$(BIN)/deptry saasus_mcp
	$(BIN)/python -m saasus_mcp.catalog.compile --check
	$(BIN)/python scripts/ready.py --check

bench: $(READY)  ## what the tool list costs, what the search finds, what the gate costs and lets through
	@$(BIN)/python scripts/bench.py

soak: $(READY)  ## 100,000 calls of all kinds, in which nothing may grow
	@$(BIN)/python -m scripts.speed.soak

growth: $(READY)  ## what a call costs as rules and records grow, with the chart of docs/performance.md
	@$(BIN)/python -m scripts.speed.growth --write

catalogue: $(READY)  ## compile tool_specs/ into what ships
	$(BIN)/python -m saasus_mcp.catalog.compile
	$(BIN)/python scripts/ready.py
	$(BIN)/python scripts/surface_bench.py --write

snapshots: $(READY)  ## write one reviewed snapshot per tool
	SNAPSHOTS=update $(BIN)/pytest --quiet tests/snapshots

attacks: $(READY)  ## play every attack and write docs/attacks.md
	ATTACKS=update $(BIN)/pytest --quiet tests/attacks

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(READY)  ## pin every dependency by hash, for all platforms
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --group dev --extra hosted --universal --generate-hashes --python-version 3.11 \
	  --quiet --no-header --output-file requirements.lock

package: $(READY)  ## the wheel and the source archive
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --outdir dist

clean:
	rm -rf .venv dist build .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis

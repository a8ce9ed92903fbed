# Every target sets itself up: Python 3.11 or newer and make are all it takes. Nothing is installed outside .venv.
# The first that runs and is new enough: a name on the path may be a shim with nothing behind it.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
  $$name -c '$(NEW_ENOUGH)' 2> /dev/null && echo $$name && break; done)
BIN := .venv/bin
READY := .venv/.ready
LOCK := $(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes --python-version 3.11 --quiet --no-header
PARALLEL := --numprocesses auto --dist worksteal --ignore=tests/browser --ignore=tests/deploy/test_proxies.py
# Container images set it, and then each process compiles the product and the tests again.
unexport PYTHONDONTWRITEBYTECODE
BROWSER := { $(BIN)/python -m pip install --quiet uv && $(BIN)/uv pip install --quiet --python $(BIN)/python --group browser; }

.PHONY: setup demo test test-fast coverage test-postgres test-proxies test-pythons test-browser screenshots recordings docs load check conformance bench speed soak growth catalogue generated clients distribution snapshots attacks format lock package clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed."; exit 1; }
	@$(PYTHON) scripts/setup_environment.py
	@touch $(READY)

demo: $(READY)  ## watch an assistant's client work, and be stopped, in the sandbox
	@$(BIN)/saasus-mcp demo

test: $(READY)  ## every test but those of browser and proxies, on every core, each in one protocol era, with few examples for properties, and samples of what is marked `exhaustive`: under four minutes on two cores
	$(BIN)/pytest $(PARALLEL)

test-fast: $(READY)  ## the tests that start no process and take no seconds: under a minute
	$(BIN)/pytest $(PARALLEL) -m "not process and not slow"

coverage: $(READY)  ## every test in both eras and every case marked `exhaustive`, with branch coverage, every example for properties, and a new interpreter for each process
	@rm -f .coverage .coverage.*
	SAASUS_MCP_TEST_FORK=0 $(BIN)/coverage run -m pytest $(PARALLEL) --exhaustive --hypothesis-profile=ci
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-postgres: $(READY)  ## what is kept, on a PostgreSQL server that is there only for this
	@$(BIN)/python scripts/with_postgres.py $(BIN)/pytest --numprocesses auto --dist worksteal -m postgresql

test-proxies: $(READY)  ## the sample configurations of nginx, Caddy and HAProxy (Debian: apt-get install nginx caddy haproxy)
	$(BIN)/pytest tests/deploy/test_proxies.py

test-pythons: $(READY)  ## the core tests on each Python 3.11 to 3.14 of this computer, with a table of the results
	@$(BIN)/python scripts/pythons.py

recordings: $(READY)  ## record the demo and the installation for docs/images
	$(BIN)/python -m scripts.recordings

docs: .venv-docs/.ready  ## build the documentation site into site/; a broken link or a page outside the navigation fails it
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --strict

.venv-docs/.ready: requirements.docs.lock
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --require-hashes --requirement requirements.docs.lock
	@touch $@

load: $(READY)  ## 32 clients before one server and two, restarts and kills, and hostile clients: nothing lost, and the tables of docs/performance.md
	@$(BIN)/python -m scripts.load

test-browser: $(READY)  ## the console in a headless Chromium (Debian: apt-get install chromium)
	@$(BIN)/python -c "import playwright, axe_playwright_python" 2> /dev/null || $(BROWSER)
	$(BIN)/pytest --numprocesses auto --dist worksteal tests/browser

screenshots: $(READY) recordings  ## write docs/images again
	@$(BIN)/python -c "import playwright, axe_playwright_python" 2> /dev/null || $(BROWSER)
	PYTHONPATH=. $(BIN)/python scripts/screenshots.py

check: $(READY)  ## format, lint, types, layers, dependencies, that what is generated is fresh, that providers take every tool
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/python -m scripts.prose
	$(BIN)/zizmor --offline --quiet .github/workflows
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache
	$(BIN)/deptry saasus_mcp
	$(BIN)/python -m scripts.catalogue --check
	$(BIN)/python scripts/ready.py --check
	$(BIN)/python -m scripts.messages
	$(BIN)/python -m scripts.provider_limits
	$(BIN)/python scripts/bundles.py --check
	$(BIN)/python -m scripts.hosting_picture --check
	$(BIN)/python scripts/reference.py --check
	$(BIN)/python scripts/commands.py --check
	$(BIN)/python -m scripts.questions --check
	$(BIN)/python scripts/locks.py

conformance: $(READY)  ## the protocol's own suite, both revisions; fetches it from npm, and Node from PyPI where it is too old
	@$(BIN)/python -m tests.conformance.run

bench: $(READY)  ## what the tool list costs, what the search finds, what the permission layer costs and lets through
	@$(BIN)/python scripts/bench.py

speed: $(READY)  ## the tables of docs/performance.md, from three runs in less than six minutes; OPTIONS="--quiet" on a machine that does nothing else
	@$(BIN)/python scripts/speed_bench.py --write $(OPTIONS)

soak: $(READY)  ## 100,000 calls of all kinds, in which nothing may grow
	@$(BIN)/python -m scripts.speed.soak

growth: $(READY)  ## what a call costs as rules and records grow, with the chart of docs/performance.md
	@$(BIN)/python -m scripts.speed.growth --write

catalogue: $(READY)  ## compile tool_specs/ into what ships
	$(BIN)/python -m scripts.catalogue
	$(BIN)/python scripts/ready.py
	$(BIN)/python scripts/surface_bench.py --write

generated: catalogue  ## everything that is made from the catalogue, the commands and server.json
	$(BIN)/python scripts/reference.py
	$(BIN)/python scripts/commands.py
	$(BIN)/python -m scripts.questions
	$(BIN)/python scripts/bundles.py
	$(BIN)/python -m scripts.hosting_picture

clients: package  ## every client of docs/clients/tried.md against the wheel, and that table (npm, PyPI); CLIENTS="fastmcp codex": some
	@$(BIN)/python -m pip install --quiet uv
	$(BIN)/python -m scripts.clients $(CLIENTS)

distribution: package  ## the wheel, what install writes as clients read it, the bundle, a security scan (npm, PyPI)
	scripts/distribution.sh

snapshots: $(READY)  ## write one reviewed snapshot per tool
	SNAPSHOTS=update $(BIN)/pytest --quiet tests/snapshots

attacks: $(READY)  ## play every attack and write docs/attacks.md and the table in docs/security.md
	ATTACKS=update $(BIN)/pytest --quiet tests/attacks
	CORPUS=update $(BIN)/pytest --quiet tests/hardening -k holds_against

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(READY)  ## pin every dependency by hash, for all platforms
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) --group dev --output-file requirements.lock
	$(LOCK) --constraint requirements.lock --output-file requirements.hosted.lock
	$(BIN)/uv pip compile --group docs --universal --generate-hashes --python-version 3.11 --quiet --no-header --constraint requirements.lock --output-file requirements.docs.lock

package: $(READY)  ## the wheel and the source archive
	$(BIN)/python -m pip install --quiet build twine
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*

clean:
	rm -rf .venv .venv-docs .venv-3.* site dist build .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Every recipe sets up what it needs: .venv, uv inside it, the locked requirements, then sdk/ and the server, editable.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JUDGES := $(VENV)/judges/.ready
JUDGE_GRAPH := $(VENV)/judges-graph/.ready
PORT ?= 8000
WORKERS ?= 3

# What was compiled once is kept, whatever the shell says: every command and every worker of a test run starts with it.
unexport PYTHONDONTWRITEBYTECODE

# Runs that keep every core busy gain nothing from threads of numpy, which wait for each other at full speed.
test differential faults calibrate: export OPENBLAS_NUM_THREADS := 1

.PHONY: demo test check check-style check-types check-kit check-architecture serve schema docs bench bench-sync differential faults calibrate judges judge-graph lock format clean
.DEFAULT_GOAL := help

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): requirements/bootstrap.txt requirements/dev.txt pyproject.toml sdk/pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed: set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: set PYTHON=/path/to/python3"; exit 1; }
	@echo "Installing what is needed in $(VENV)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --require-hashes -r requirements/dev.txt
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e sdk -e .
	@touch $(READY)

# The vendors' own SDKs judge our sandboxes from an environment of their own: nothing of theirs is in the product's.
$(JUDGES): requirements/judges.txt $(READY)
	@echo "Installing the judges in $(VENV)/judges" >&2
	@test -x $(VENV)/judges/bin/python || $(BIN)/python -m venv --without-pip $(VENV)/judges
	@VIRTUAL_ENV=$(CURDIR)/$(VENV)/judges $(BIN)/uv pip install --quiet --require-hashes -r requirements/judges.txt
	@touch $(JUDGES)

judges: $(JUDGES) ## Set up the vendors' SDKs that judge the sandboxes

$(JUDGE_GRAPH): requirements/judges-graph.txt $(READY)
	@echo "Installing Graph's SDK (257 MB) in $(VENV)/judges-graph" >&2
	@test -x $(VENV)/judges-graph/bin/python || $(BIN)/python -m venv --without-pip $(VENV)/judges-graph
	@VIRTUAL_ENV=$(CURDIR)/$(VENV)/judges-graph $(BIN)/uv pip install --quiet --require-hashes -r requirements/judges-graph.txt
	@touch $(JUDGE_GRAPH)

judge-graph: $(JUDGES) $(JUDGE_GRAPH) ## Let Graph's own SDK judge the Outlook sandbox
	@$(BIN)/python -m pytest tests/judges/judge_graph_sdk.py -p no:xdist

demo: $(READY) ## Start Tenure with a lively demo tenant on 127.0.0.1 (PORT=8000)
	@$(BIN)/tenure demo --port $(PORT)

serve: $(READY) ## Start the server
	@$(BIN)/tenure serve --port $(PORT)

test: $(READY) $(JUDGES) ## Run the whole suite
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder $(ARGS)

check: $(READY) ## Style, types, import contracts, architecture
	@$(MAKE) --no-print-directory --jobs=2 --output-sync check-style check-types check-kit check-architecture

check-style:
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

check-types:
	@$(BIN)/mypy

check-kit:
	@$(BIN)/basedpyright --level error sdk/src

check-architecture:
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m pytest tests/architecture -p no:xdist

schema: $(READY) ## Write schema.graphql
	@$(BIN)/tenure schema > schema.graphql.new && mv schema.graphql.new schema.graphql

docs: $(READY) ## Write the generated parts of docs/reference
	@$(BIN)/python -m docs.generate

bench: $(READY) ## Measure reads and landing beside hand-written SQL (ARGS="--size small")
	@$(BIN)/python -m bench $(ARGS)

bench-sync: $(READY) ## Measure a sync from QuickBooks' sandbox (ARGS="--customers 2000")
	@$(BIN)/python -m bench sync $(ARGS)

differential: $(READY) ## Ask random reads three ways (ARGS="--operations 50000 --seed 7")
	@$(BIN)/python -m pytest tests/api/differential/test_differential.py -k three_ways $(ARGS)

faults: $(READY) ## The fault matrices at full size (FULL=1 for 500 kills, ARGS="--seed 8")
	@$(BIN)/python -m pytest -m slow --full-size $(ARGS)

calibrate: $(READY) ## How often verdicts err: 1,000 worlds made of CDNOW (needs TENURE_SHARED)
	@$(BIN)/python -m pytest tests/domain/initiatives/test_calibration.py --full-size -s -p no:xdist $(ARGS)

format: $(READY) ## Format the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

lock: ## Lock the requirements anew
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	@cd requirements && for name in bootstrap base dev judges judges-graph; do \
	  ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links $$name.in -o $$name.txt || exit 1; done

clean: ## Remove what the recipes made (not the data)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

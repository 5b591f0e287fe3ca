# minicloud: `make up` for a cloud, `make test` for everything that proves it. `make help` lists the rest.

PYTHON ?= python3
BIN := .venv/bin
# What `make up` gives to `minicloud up`: make up UP="--driver fake --hosts 3"
UP ?=
# What `make test` gives to pytest: make test T="tests/api -x"
T ?=
# Which suite `make conformance` runs: identity, compute, image, network, volume, placement, gophercloud, ansible... (docs/conformance.md)
SUITE ?= identity
# Which benchmarks `make bench` runs: make bench B="boot_storm requests"
B ?=

.DEFAULT_GOAL := help
.PHONY: help up down test lint types bench conformance fuzz docs clean setup

help:  ## Show this list.
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

up: .venv/.ready  ## Install what is missing, build the guest image, start the cloud in the background, say how to use it.
	@$(BIN)/python scripts/image_if_possible.py
	@$(BIN)/minicloud up --detach $(UP)

down: .venv/.ready  ## Stop the cloud; its servers go on running.
	@$(BIN)/minicloud down

test: .venv/.ready-test lint types  ## Install what tests need, then lint, types and every test.
	@$(BIN)/python scripts/image_if_possible.py
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --durations=15 $(T)

lint: .venv/.ready-test  ## Check form and order of the code.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.ready-test  ## Check the types, strictly.
	$(BIN)/mypy minicloud

bench: .venv/.ready-test  ## Measure; each figure beside a floor of the same run.
	$(BIN)/python -m bench $(B)

conformance: .venv/.ready-test  ## Run a suite that others wrote and show its score: make conformance SUITE=identity
	@$(BIN)/python -m tests.conformance $(SUITE) $(T)

fuzz: .venv/.ready-test  ## Send each service 20,000 odd requests, compute 50,000; none may be answered with 500.
	@$(BIN)/python -m tests.support.odd_identity 20000
	@$(BIN)/python -m tests.support.odd_network 20000
	@$(BIN)/python -m tests.support.odd_requests compute 50000
	@$(BIN)/python -m tests.support.odd_requests volume 20000
	@$(BIN)/python -m tests.support.odd_requests image 20000

docs: .venv/.ready  ## Write the generated pages of docs/ anew.
	@$(BIN)/python scripts/pages.py

clean:  ## Remove what was built in this folder; the cloud's data stays (minicloud down --purge removes that).
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup:  ## Install the programs that a cloud needs, or name them.
	@PYTHON=$(PYTHON) scripts/setup

.venv/.machine: scripts/setup
	@PYTHON=$(PYTHON) scripts/setup
	@$(PYTHON) -c 'import sys; sys.exit("error: Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@touch $@

.venv/.ready: .venv/.machine pyproject.toml
	@echo "installing minicloud and the openstack client into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e . python-openstackclient
	@$(BIN)/python -m compileall -q minicloud
	@touch $@

.venv/.ready-test: .venv/.machine pyproject.toml
	@echo "installing minicloud and what its tests need into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@$(BIN)/python -m compileall -q minicloud
	@touch .venv/.ready $@

# One environment, one stamp: every target installs what it needs, from the locked versions only.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Tests wait for their peers much of the time: three at once keep two cores busy.
WORKERS ?= 3
# Real peers on a busy machine: what fails is tried once more, and the summary says so.
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile --reruns 1

.PHONY: help install demo demo-bundles test test-faults test-short check supply-chain lock clean \
	bench bench-receive bench-decode bench-model bench-study bench-scale bench-phantom \
	bench-ecg bench-film bench-starts
.DEFAULT_GOAL := help

help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 16

install: $(STAMP) ## install the node and its tools into .venv

$(STAMP): pyproject.toml deploy/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "echonode needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## run the main job on phantom studies and show the result
	$(BIN)/echonode demo

# Several tests at once: more threads in each would only wait for one another.
test test-short: export OMP_NUM_THREADS := 1

test: $(STAMP) ## run every test
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-faults: $(STAMP) ## long fault tests: hundreds of kills, power cuts, full disks (an hour)
	$(BIN)/python -m pytest -m faults tests/fault

test-short: $(STAMP) ## run the tests that take less than ten seconds each
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not long and not faults"

supply-chain: $(STAMP) ## check dependencies for vulnerabilities and licences, and the tree for secrets
	BIN=$(BIN) .ci/supply-chain

check: $(STAMP) ## check types and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

demo-bundles: $(STAMP) ## train the demonstration's bundles again on the phantom (half an hour on two cores)
	for made in demonstration:echo_haemodynamics demonstration_ecg:ecg_ph demonstration_film:cxr_ecg; do \
		name=$${made%:*}; \
		$(BIN)/echonode train phantom --pipeline $${made#*:} build/$$name; \
		[ -d build/$$name/bundle ] || exit 1; \
		rm -rf inference/bundle/$$name; cp -r build/$$name/bundle inference/bundle/$$name; \
	done

bench: bench-receive bench-decode bench-model bench-study bench-scale ## run every benchmark

bench-receive bench-decode bench-model bench-study bench-scale: $(STAMP)
	$(BIN)/python -m tests.benchmark.$(@:bench-%=%)

bench-phantom: $(STAMP) ## figures of the recipe on the phantom: easy with five seeds, and realistic
	$(BIN)/echonode train phantom --series build/series
	$(BIN)/echonode train phantom --preset realistic build/realistic

bench-ecg: $(STAMP) ## figures of the ECG recipe on the phantom: easy, and realistic
	$(BIN)/echonode train phantom --pipeline ecg_ph build/ecg-easy
	$(BIN)/echonode train phantom --pipeline ecg_ph --preset realistic build/ecg-realistic

bench-starts: $(STAMP) ## figures of other starts and encoders on the phantom, against the paper's recipe
	$(BIN)/python -m tests.benchmark.starts build/starts

bench-film: $(STAMP) ## figures of the recipe of film and ECG on the phantom, three seeds (an hour)
	for seed in 1 2 3; do \
		$(BIN)/echonode train phantom --pipeline cxr_ecg --seed $$seed build/film-$$seed; \
	done

lock: ## lock the newest allowed versions (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --upgrade --extra train --extra dev pyproject.toml -o deploy/constraints.txt

clean: ## remove the environment, caches and the demo's output
	rm -rf $(VENV) build demo .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

# Everything happens in virtual environments below this folder; nothing is installed elsewhere.
PYTHON ?= python3
BIN := .venv/bin
BENCH := .venv-bench/bin

.PHONY: demo test browser nightly soak fuzz fuzz-loader mutate coverage check format bench bench-smoke clean

demo: .venv/.installed  ## train on handwritten digits, the gradient checked while it trains
	$(BIN)/jactrain run configs/digits.yaml

test: .venv/.developing browser  ## run all tests, on two processes
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal

# Pages are opened in Debian's Chromium; where it is missing and can be installed, it is.
browser:
	@command -v chromium >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	} || echo "chromium is missing, and the tests of pages will fail: apt-get install chromium" >&2

nightly: .venv/.developing  ## ten times as many random networks, none of which may be accused
	JACTRAIN_NETWORKS=20000 $(BIN)/python -m pytest -q -n 2 tests/agreement/test_no_false_alarm.py

soak: .venv/.developing  ## kill trainings 200 times at random, before every change of the disk, and workers of 200 cells
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 JACTRAIN_KILLS=200 JACTRAIN_CELLS=200 $(BIN)/python -m pytest -q -n 2 --dist worksteal tests/reliability/test_kill.py tests/sweeps/test_sweep_kills.py

fuzz: .venv/.developing  ## ten times as many broken configurations, arrays, tables and checkpoints
	JACTRAIN_FUZZ=10 $(BIN)/python -m pytest -q -n 2 tests/reliability/test_fuzz_*.py

fuzz-loader: .venv/.quality  ## the loader of configurations, guided by coverage, for ten minutes
	$(BIN)/python tests/reliability/fuzz_loader.py -max_total_time=600

mutate: .venv/.quality  ## change the code in every small way, and see whether its tests notice; SAMPLE=100, or ONLY=layers
	$(BIN)/python tests/mutation/mutate.py "$(ONLY)" $(SAMPLE)

# Less of what only repeats (random networks), and nothing that is timed or has no room for files: counting
# makes it slow, and writes files.
coverage: .venv/.quality browser  ## the share of lines and branches that the tests run through
	JACTRAIN_NETWORKS=100 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal -k "not predicted_within and not mutated_configuration and not without_room" --cov --cov-report=term:skip-covered --cov-report=json:.coverage.json
	@$(BIN)/python -c 'import json; t = json.load(open(".coverage.json"))["totals"]; print("lines %.1f %%, branches %.1f %%" % (t["percent_statements_covered"], t["percent_branches_covered"]))'

check: .venv/.developing  ## style, docstrings, types, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: .venv/.developing  ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv-bench/.installed  ## measure against scikit-learn, PyTorch, JAX and scipy, and write docs/benchmarks.md
	$(BENCH)/python -m benchmarks --json benchmarks/results.json --page docs/benchmarks.md

bench-smoke: .venv-bench/.installed  ## run every benchmark once, for seconds
	$(BENCH)/python -m benchmarks --smoke

clean:  ## remove environments and caches; runs are kept
	rm -rf .venv .venv-bench .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/.developing: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@ .venv/.installed

.venv/.quality: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev,quality]"
	touch $@ .venv/.developing .venv/.installed

.venv-bench/.installed: pyproject.toml benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	$(BENCH)/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt -e .
	touch $@

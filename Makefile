# Everything that a developer types. `make demo` and `make test` set up by themselves and are safe to repeat.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test toolchains lint format readme bench-train bench-distil bench-supernet bench-latency bench-convert bench-sweep bench-agreement bench-server bench-compression bench-zoo bench-techniques bench-compressed-bundles bench-compression-sweep

# torch comes first and exactly: an open range pulls the newest one with gigabytes of CUDA.
.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "mobisdk needs Python 3.11, 3.12 or 3.13; name one with: make PYTHON=python3.11 ..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/.ready
	$(BIN)/mobisdk quickstart

# One thread a test process: two processes that each spin up a pool wait for each other most of the time.
test: .venv/.ready
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile
	@android/check.sh
	@ios/check.sh

# What compiles and tests the apps (Kotlin and ExecuTorch's Java API, Swift; into a cache), and programs that tests use.
toolchains:
	android/toolchain.sh install
	ios/toolchain.sh install
	tests/install_programs.sh

lint: .venv/.ready
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.ready
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# Runs README's commands as printed and puts their real output below them.
readme: .venv/.ready
	$(BIN)/python tests/e2e/run_readme.py

# A student with and without its teacher, and a supernet against its widths alone, on digits; the tables go into docs/training.md.
bench-distil bench-supernet: bench-%: .venv/.ready
	OMP_WAIT_POLICY=PASSIVE PYTHONPATH=. $(BIN)/python tests/benchmarks/bench_$*.py runs/bench-$*

bench-train: .venv/.ready
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python tests/benchmarks/bench_training.py

# Simulations, and logs at size; the figures go into docs/latency.md.
bench-latency: .venv/.ready
	$(BIN)/python tests/benchmarks/bench_latency.py

# LiteRT's converter brings JAX and 2 GB: it gets an environment of its own, and only `bench-convert` makes it.
.venv-litert/.ready: tests/benchmarks/litert-constraints.txt
	test -x .venv-litert/bin/python || $(PYTHON) -m venv .venv-litert
	.venv-litert/bin/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' $<)"
	.venv-litert/bin/python -m pip install --quiet --disable-pip-version-check --constraint $< litert-torch
	touch $@

# Peers come with the extra `bench`; the table goes into docs/conversion.md.
bench-convert: .venv/.ready .venv-litert/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python tests/benchmarks/bench_convert.py

# A server, and phones that load it, on this computer; about 15 minutes. The table goes into docs/server.md.
bench-server: .venv/.ready
	$(BIN)/python tests/benchmarks/bench_server.py

# Hours: every architecture, every recipe, two values of α.
bench-sweep: .venv/.ready
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/bench_sweep.py

# CIFAR-10 as Parquet must be beside the project.
bench-agreement: .venv/.ready
	$(BIN)/python tests/benchmarks/bench_agreement.py

# Compression on CIFAR-10, which must be beside the project: hours for three seeds, and what was stopped goes on, as it does
# in the three below. The tables go into docs/compression.md.
bench-compression: .venv/.ready
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/bench_compression.py --data ../shared/data/cifar10

# Every technique's accuracy on digits beside what is asked, three seeds: about an hour.
bench-techniques: .venv/.ready
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python tests/benchmarks/bench_techniques.py

# Bytes and latency at 224: a few minutes, the last of them on a quiet computer, please.
bench-compressed-bundles: .venv/.ready
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python tests/benchmarks/bench_compressed_bundles.py --time

# Every technique from checkpoint to both phones, on three networks.
bench-compression-sweep: .venv/.ready
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE PYTHONPATH=. $(BIN)/python tests/benchmarks/bench_compression_sweep.py

# CIFAR-10 as Parquet must be beside the project; about an hour, and what was stopped goes on. The tables go into docs/zoo.md.
bench-zoo: .venv/.ready
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python tests/benchmarks/bench_zoo.py

# Everything a developer types. `make help` lists it.
#
# Needs Rust (cargo) and Python 3.11 or later; the rest is installed into .venv from PyPI.

PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin

# What the extension is made of, and what the tests look at besides.
RUST := Cargo.toml Cargo.lock pyproject.toml rust/qrs-py/Cargo.toml $(shell find rust -name '*.rs')
TESTED := $(RUST) $(shell find python tests examples -name '*.py' -o -name '*.pyi' -o -path '*/kernels/*.rs')

INSTALL := -m pip install --quiet --disable-pip-version-check
MATURIN := VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(BIN)/maturin

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

.PHONY: help
help: ## list these targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 14

$(VENV)/installed: dev/requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "qrs needs Python 3.11 or later; name one with PYTHON=...")'
	@echo "making $(VENV) with what the tests and tools need"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) -r dev/requirements.txt
	@touch $@

$(VENV)/built: $(VENV)/installed $(RUST)
	@echo "building the extension: some minutes the first time"
	$(MATURIN) develop --release --locked
	@touch $@

.PHONY: build
build: $(VENV)/built ## make .venv and build the extension into it

.PHONY: demo
demo: build ## quantize a trained LSTM and watch size, speed and accuracy
	$(BIN)/python examples/char_lm_demo.py

.PHONY: test
test: build ## run the Rust and the Python tests
	cargo test --locked --quiet
	$(BIN)/python -m pytest --quiet
	@touch $(VENV)/tested

# So that `make test check` does not run the tests twice.
$(VENV)/tested: $(TESTED)
	$(MAKE) test

.PHONY: check
check: build lint $(VENV)/tested ## lint, run each benchmark once, and test unless these sources have passed
	cargo test --locked --quiet --bench kernels

.PHONY: lint
lint: build ## format, lints, types, layers, stubs and documentation
	cargo fmt --all --check
	PYO3_PYTHON="$(CURDIR)/$(BIN)/python" cargo clippy --locked --quiet --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" PYO3_PYTHON="$(CURDIR)/$(BIN)/python" cargo doc --locked --quiet --workspace --no-deps
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m mypy.stubtest qrs._qrs

.PHONY: format
format: $(VENV)/installed ## format Rust and Python
	cargo fmt --all
	$(BIN)/ruff check --quiet --select I --fix .
	$(BIN)/ruff format --quiet .

.PHONY: test-arm test-x86 test-vnni
test-arm: ## kernel cases on emulated ARM CPUs (Debian; installs qemu as root)
	tests/cross/run arm
test-x86: ## kernel cases on emulated old x86 CPUs (the same)
	tests/cross/run x86
test-vnni: ## kernel cases on an emulated AVX-512 VNNI CPU (the same, with Bochs)
	tests/cross/run vnni

$(PEERS)/installed: dev/requirements-peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python $(INSTALL) -r dev/requirements-peers.txt
	@touch $@

$(PEERS)/built: $(PEERS)/installed $(RUST)
	VIRTUAL_ENV="$(CURDIR)/$(PEERS)" $(PEERS)/bin/maturin develop --release --locked --quiet
	@touch $@

.PHONY: bench
bench: $(PEERS)/built ## time the kernels, and the layers beside other libraries (5 GB of them)
	cargo bench --locked
	$(PEERS)/bin/python benches/peers.py

.PHONY: wheel test-wheel
wheel: $(VENV)/installed ## build the wheel and the source archive into dist/
	rm -rf dist
	$(MATURIN) build --release --locked --sdist --out dist --quiet
test-wheel: wheel ## install that wheel alone, beside the oldest numpy, and use it
	PYTHON="$(PYTHON)" dev/test-wheel

.PHONY: clean
clean: ## remove what was built and installed
	rm -rf $(VENV) $(PEERS) target dist
	rm -f python/qrs/_qrs.*.so

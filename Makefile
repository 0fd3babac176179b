# All set-up is in the targets: a fresh clone needs make, python3 (3.11 or newer) and, for the live tests, root on Debian.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
CONFIG ?= etc/voxpath.toml
SCALE ?= 1

.PHONY: run test check live-programs demo docs ebpf soak bench wheel clean

run: $(VENV)/.installed
	$(BIN)/twistd --nodaemon --pidfile= voxpath --config $(CONFIG)

test: $(VENV)/.tools live-programs check wheel
	@sh tests/run $(BIN)/pytest "$(REPORT)" $(ARGS)

check: $(VENV)/.tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/requirements_matrix.py

wheel: $(VENV)/.tools
	$(BIN)/python tests/wheel_content.py

demo: $(VENV)/.tools live-programs
	$(BIN)/python -m tests.live.demo

# The pages and files that are generated from the code; tests fail when one is not current.
docs: $(VENV)/.installed
	$(BIN)/python -m voxpath.app.reference
	$(BIN)/python -m voxpath.app.catalogue

# The eBPF object of the NAT, with Debian's compiler; a test makes it again and compares it with the one that is committed.
ebpf:
	@sh voxpath/natreactor/ebpf/make-object voxpath/natreactor/ebpf/nat.bpf.o

soak: $(VENV)/.tools live-programs
	VOXPATH_SCALE=$(SCALE) $(BIN)/python -m tests.soak $(ARGS)

bench: $(VENV)/.tools live-programs
	$(BIN)/python -m tests.bench $(ARGS)

# As root on Debian: the stock programs that the live tests run, without starting any daemon.
live-programs:
	@sh tests/live/install-programs

$(VENV)/.installed: pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.tools: $(VENV)/.installed
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info

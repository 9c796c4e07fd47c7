# Every target sets up what it needs; none needs another to have been run first.

# The first that is new enough, 3.11 before others.
PYTHON ?= $(shell for each in python3.11 python3 python3.12 python3.13; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$each" && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOURCES := edge naming lb tests $(wildcard bench/*.py)
PORT ?= 8079

# Programs that the tests run. Debian names.
DEB_PACKAGES := ca-certificates ffmpeg git openssl python3-venv rtmpdump nginx-light libnginx-mod-rtmp \
	gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad \
	dnsmasq-base etcd-server iproute2
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help run test lint format unit bench deps clean

help: ## Show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

run: $(VENV)/run.stamp ## Start an origin with a moving test picture in it and print its URLs
	@$(BIN)/python -m edge.tools.demo --port $(PORT)

test: lint unit ## Set up, check the style and the types, run all tests

lint: $(VENV)/dev.stamp ## Check the style and the types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

unit: $(VENV)/dev.stamp ## Run all tests without the checks before them
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup

format: $(VENV)/dev.stamp ## Format the code
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: $(VENV)/dev.stamp ## Measure beside nginx's RTMP module and write docs/performance.md (9 minutes)
	$(BIN)/python bench/run.py --write docs/performance.md

deps: ## Install the Debian packages that the tests need
	@if ! dpkg -s $(DEB_PACKAGES) >/dev/null 2>&1; then \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get update -q && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(DEB_PACKAGES); \
	fi

clean: ## Remove the environment and everything that can be made again
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed; on Debian 12 or newer: make deps" >&2; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "cannot create $(VENV); on Debian: make deps" >&2; exit 1; }

# The exact versions of requirements.lock, then this tree on top, built with the setuptools of the lock.
$(VENV)/dev.stamp: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) install -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) ..."
	@$(PIP) install -c requirements.lock setuptools setuptools-scm
	@$(PIP) install -c requirements.lock --no-build-isolation -e '.[fast,media]'
	@touch $@

# Every target sets up what it needs; none needs another to have been run first.

# The first that is new enough, 3.11 before others.
PYTHON ?= $(shell for each in python3.11 python3 python3.12 python3.13; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$each" && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# By file, in the order that tests/conftest.py gives them. Most tests wait most of the time: one more than two cores.
WORKERS ?= 3
DEALING := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# Who measures real time beside others may lack a core for a moment: it is run once more, and named at the end.
TWICE := --reruns 1 --reruns-delay 3 -rR
SOURCES := edge naming lb tests $(wildcard bench/*.py)
PORT ?= 8079

# For bench/run.py, which its --help lists: make bench ARGS="--only churn"
ARGS ?=

# Node.js of another make brings its own npm, and Debian's does not go beside it.
NPM_PACKAGES := $(shell command -v npm >/dev/null || echo nodejs npm)
# Programs that the tests run, and those that the measurements need. Debian names.
DEB_PACKAGES := ca-certificates curl ffmpeg git openssl python3-venv rtmpdump nginx-light libnginx-mod-rtmp \
	libnginx-mod-stream dnsmasq-base etcd-server iproute2 chromium chromium-driver $(NPM_PACKAGES) \
	gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad strace systemd \
	docker-compose
BENCH_PACKAGES := ca-certificates python3-venv nginx-light libnginx-mod-rtmp gcc libc6-dev strace
# Players for browsers, from npm.
PLAYERS := tests/browser
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
APT = $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get
# $(call install,PACKAGES): nothing where all of them are there.
install = if ! dpkg -s $(1) >/dev/null 2>&1; then \
	$(APT) update -q && $(APT) install -q -y --no-install-recommends $(1); fi
# $(call install-if-it-may,PACKAGES,WHAT-ELSE): as root, or with a sudo that asks for no password; never a failure.
install-if-it-may = if ! command -v apt-get >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then \
		{ $(call install,$(1)); } || echo "programs could not be installed: $(2)" >&2; \
	elif ! dpkg -s $(1) >/dev/null 2>&1; then \
		echo "programs are missing, and installing them needs root: $(2)" >&2; \
	fi

.PHONY: help run test lint format unit portable bench deps bench-deps clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/run.stamp ## Start an origin with a moving test picture in it and print its URLs
	@$(BIN)/python -m edge.tools.demo --port $(PORT)

test: ## Install what the tests run where that may be, set up, check the style and the types, run all tests
	@$(call install-if-it-may,$(DEB_PACKAGES),tests that need them are skipped (make deps))
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory unit

lint: $(VENV)/dev.stamp ## Check the style and the types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

unit: portable $(PLAYERS)/node_modules ## Run all tests without the checks before them
	$(BIN)/python -m pytest -q $(DEALING) $(TWICE)

portable: $(VENV)/dev.stamp ## Run the tests of RTMP, HTTP and upstreams with all hidden that only Linux has
	$(BIN)/python -m tests.harness.portable -q $(DEALING) $(TWICE)

format: $(VENV)/dev.stamp ## Format the code
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: ## Measure beside nginx's RTMP module (15 minutes); ARGS="--only churn", ARGS="--write docs/performance.md"
	@$(call install-if-it-may,$(BENCH_PACKAGES),the measurements need a compiler (make bench-deps))
	@$(MAKE) --no-print-directory $(VENV)/dev.stamp
	$(BIN)/python bench/run.py $(ARGS)

deps: ## Install the Debian packages that the tests need
	@$(call install,$(DEB_PACKAGES))

bench-deps: ## Install the Debian packages that the measurements need
	@$(call install,$(BENCH_PACKAGES))

clean: ## Remove the environment and everything that can be made again
	rm -rf $(VENV) $(PLAYERS)/node_modules build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed; on Debian 12 or newer: make deps" >&2; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "cannot create $(VENV); on Debian: make deps" >&2; exit 1; }

# The exact versions of requirements.lock, then this tree on top, built with the setuptools of the lock.
$(VENV)/dev.stamp: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) install -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# The exact versions of the lock; never a failure: the tests that need them say so.
$(PLAYERS)/node_modules: $(PLAYERS)/package.json $(PLAYERS)/package-lock.json
	@if ! command -v npm >/dev/null; then \
		echo "npm is missing, tests in a browser are left out (make deps)" >&2; \
	elif npm ci --prefix $(PLAYERS) --ignore-scripts --no-audit --no-fund --loglevel=error; then touch $@; \
	else rm -rf $@; echo "players could not be installed, tests in a browser are left out" >&2; fi

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) ..."
	@$(PIP) install -c requirements.lock setuptools setuptools-scm
	@$(PIP) install -c requirements.lock --no-build-isolation -e '.[fast,media]'
	@touch $@

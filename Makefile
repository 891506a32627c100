# The two commands of the README are `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONDONTWRITEBYTECODE :=
READY := $(VENV)/.ready

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

$(READY): requirements/boot.txt requirements/dev.txt pyproject.toml galaxy.yml
	@py=$$(tests/lab/find-python) || { echo "deskside needs Python 3.12 or newer with venv. Debian 13/Ubuntu 24.04: apt-get install python3-venv. Older: pyenv install 3.13." >&2; exit 2; }; \
	 echo "environment: $(VENV) with $$py"; \
	 [ -x .cache/boot/bin/uv ] || { "$$py" -m venv .cache/boot && .cache/boot/bin/pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/boot.txt; }; \
	 .cache/boot/bin/uv venv -q --allow-existing -p "$$py" $(VENV)
	@.cache/boot/bin/uv pip sync -q --require-hashes --only-binary :all: -p $(VENV) requirements/dev.txt
	@.cache/boot/bin/uv pip install -q --no-deps --no-build-isolation -p $(VENV) -e .
	@site=$$(echo $(VENV)/lib/python3.*/site-packages); mkdir -p "$$site/ansible_collections/deskside"; \
	 ln -sfn $(CURDIR) "$$site/ansible_collections/deskside/workplace"; ln -sfn $(CURDIR)/tests/lab "$$site/deskside_lab"
	@touch $@

.PHONY: ready
ready: $(READY) ## make the Python environment

.PHONY: lock
lock: $(READY) ## resolve requirements/*.in into hashed locks
	@for f in boot runtime dev; do .cache/boot/bin/uv pip compile --universal --python-version 3.12 --generate-hashes --no-header -q -o requirements/$$f.txt requirements/$$f.in; done

include tests/make/*.mk

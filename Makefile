# The two commands of the README are `make demo` and `make test`. `make help` lists the rest.
# LAB=no      leaves out what needs containers, and says so
# Targets stand in tests/make/*.mk, by room.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
UV := .cache/boot/bin/uv
LAB ?= yes
export LAB
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONDONTWRITEBYTECODE :=
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
READY := $(VENV)/.ready

.PHONY: help ready packages lock
help: ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

packages: ## install missing distribution packages (root or sudo; otherwise the line to run)
	@tests/lab/bootstrap

ready: packages $(READY) ## everything that demo and test need: packages and the Python environment

$(READY): requirements/boot.txt requirements/dev.txt pyproject.toml galaxy.yml tests/make/environment
	@tests/make/environment $(VENV)

lock: $(READY) ## resolve requirements/*.in into hashed locks
	@for f in boot runtime dev; do \
	   $(UV) pip compile --universal --python-version 3.12 --generate-hashes --no-header -q -o requirements/$$f.txt requirements/$$f.in; done

include tests/make/*.mk

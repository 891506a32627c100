.PHONY: check lint types walls ansible-lint unit format docs
check: $(READY) lint types walls ansible-lint unit ## everything fast: ruff, mypy, import-linter, ansible-lint, policy, unit

lint: $(READY)
	@ruff check -q . && ruff format -q --check .
	@yamllint -s .

format: $(READY) ## let ruff format the tree
	@ruff check -q --fix . ; ruff format -q .

types: $(READY)
	@mypy --no-error-summary

walls: $(READY)
	@lint-imports --no-cache >/dev/null || lint-imports --no-cache

ansible-lint: $(READY)
	@ansible-lint -q --nocolor

unit: $(READY) ## unit and policy tests
	@pytest -q -n 2 tests/unit tests/policy

docs: $(READY) ## write the generated pages and tables again (policy tests compare them)
	@for page in tests/policy/generate*.py; do PYTHONPATH=. python $$page; done

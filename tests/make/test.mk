.PHONY: test test-full wheel ci
test test-full: export FOR := test
test: ready ## every suite, within 30 minutes on two cores, with progress
	@python tests/run.py

test-full: ready ## the same without short cuts: every scenario of every role, more kills
	@python tests/run.py --full

wheel: $(READY) ## build sdist and wheel into dist/
	@rm -rf dist && $(UV) build -q --no-build-isolation -p $(VENV) -o dist . && ls dist

# Needs only make and Python 3.11 to 3.13; everything else goes into .venv and .tools here.
PYTHON ?= python3
ARGS ?=
ENVIRONMENT = $(PYTHON) tools/environment.py

.PHONY: help run test check coverage conformance asvs chaos bench format lock
help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 14
	@echo 'Options: PYTHON=python3.12 chooses a Python; ARGS="..." goes to pytest or to the benchmark.'

run: ## serve on port 8080 with a demo workspace; Ctrl-C ends it
	@$(ENVIRONMENT) && exec sh tools/run.sh

test: ## run the tests by three processes, which often wait; ARGS="-k name" for some of them
	@$(ENVIRONMENT) test lint && .venv/bin/python -m pytest -n 3 $(ARGS)

check: ## format, lint, types, imports, lock, migrations, licences
	@$(ENVIRONMENT) test lint bench && sh tools/check.sh

coverage: ## run the tests and show the lines that no test reaches
	@$(ENVIRONMENT) test lint && .venv/bin/coverage run -m pytest $(ARGS)
	@.venv/bin/coverage combine --quiet && .venv/bin/coverage report

conformance: ## hold every promise of the protocol on every backend, in large numbers; a table at the end
	@$(ENVIRONMENT) test && CHAT_CONFORMANCE=every CHAT_REQUIRE=postgres,nats .venv/bin/python -m pytest \
		-n 2 -m conformance -p chat_service.test.conformance.table -o timeout=600 $(ARGS)

asvs: ## show which tests hold which requirement of OWASP ASVS 5.0 and of the API Top 10; nothing is run
	@$(ENVIRONMENT) test && .venv/bin/python -m pytest --collect-only -qq -p chat_service.test.security.asvs $(ARGS) \
		| sed '/^chat_service/d'

chaos: ## break the service 50 times on each database; N=, SEED=, BACKEND=sqlite, ONLY=server, SHORT=1
	@$(ENVIRONMENT) test && .venv/bin/python -m chat_service.test.faults

bench: ## compare the service with its peers
	@$(ENVIRONMENT) test bench && .venv/bin/python -m bench $(ARGS)

format: ## let black and isort write
	@$(ENVIRONMENT) test lint && .venv/bin/isort --quiet . && .venv/bin/black --quiet .

lock: ## renew poetry.lock and THIRD_PARTY.md after a change of dependencies
	@$(ENVIRONMENT) --lock && $(ENVIRONMENT) test lint bench
	@.venv/bin/python tools/third_party.py

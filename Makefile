# The menu. `make run` and `make test` need Python 3.11 or newer and a network for the first install.
PYTHON_HERE = .venv/bin/python
# A file that lives as long as `make run`: make deletes it when it is told to stop, even where the
# signal reached make alone, and manage.py run ends when it is gone. One per make.
RUNNING := .stamp-run-$(shell echo $$PPID)

.PHONY: help run test lint format bench venv venv-dev

help:
	@echo "make run     start Parkwell here (PORT=8000)"
	@echo "make test    the whole suite: SQLite, and PostgreSQL and Redis where they answer"
	@echo "make lint    style, types, the direction of imports, migrations, deployment settings"
	@echo "make format  put the code in shape"
	@echo "make bench   measure speed beside the limit, on PostgreSQL and Redis (OPTIONS=--quick, --help)"

run: $(RUNNING)

$(RUNNING): venv
	@exec $(PYTHON_HERE) manage.py run --while $@

test: venv-dev
	@exec $(PYTHON_HERE) scripts/test.py

lint: venv-dev
	@exec $(PYTHON_HERE) scripts/lint.py

format: venv-dev
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format .

bench: venv-dev
	@exec $(PYTHON_HERE) -m benchmarks $(OPTIONS)

venv:
	@sh scripts/venv.sh requirements.txt

venv-dev:
	@sh scripts/venv.sh requirements.txt requirements-dev.txt

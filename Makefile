MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help demo run migrate test test-long test-unit lint fmt bench bench-chat bench-doors fuzz-api \
	chaos chaos-quick proto lock clean

python := .venv/bin/python
compile := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links -q --custom-compile-command "make lock" \
	--extra mysql --extra redis --extra flower --extra chat

help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup-run ## Fetch a demo site of its own, or the addresses in a file (URLS=list.txt), and print what came of it.
	@$(python) src/manage.py demo $(if $(URLS),--file "$(URLS)")

run: setup-run ## Run HashWorld whole on this machine: web, node and scheduler, without any server.
	@$(python) src/manage.py run

migrate: setup-run ## Bring the database up to date.
	@$(python) src/manage.py migrate

test: setup-test ## Run lint and every test, on the embedded footing and on private MariaDB, RabbitMQ and Redis.
	@scripts/test.sh

test-long: setup-test ## Run the system tests of nodes, schedulers and commands, on both footings.
	@scripts/test.sh long

test-unit: setup-test ## Run the unit tests alone, which need no server.
	@$(python) -m pytest tests/unit

lint: setup-test ## Check style, formatting and types.
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	HASHWORLD_DATA_DIR=.mypy_cache/data $(python) -m mypy

fmt: setup-test ## Repair style and formatting where a tool can.
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

bench: setup-test ## Measure pages per second against other tools on this machine.
	@$(python) -m benchmarks

bench-chat: setup-test ## Measure the chatroom beside Django Channels, with 1,000 clients in one room.
	@HASHWORLD_DATA_DIR=.mypy_cache/data $(python) -m benchmarks.chat

bench-doors: setup-test ## Measure 100,000 URLs in and out by REST, beside an endpoint written the usual way.
	@$(python) -m benchmarks.doors

fuzz-api: setup-test ## Try the REST door with 5,000 cases made of its own description.
	@$(python) -m pytest tests/system/test_api_fuzz.py -m long

chaos-quick: setup-test ## Kill, freeze and cut off nodes and servers for a few minutes, and check that nothing is lost.
	@$(python) -m tests.chaos --quick

chaos: setup-test ## Break a cluster of four nodes at random for up to fifteen minutes, and tell how soon its work went on.
	@$(python) -m tests.chaos

proto: setup-test ## Remake the Python of communicate.proto, for HashWorld and for the chatroom.
	@scripts/proto.sh

lock: ## Remake both requirements files from pyproject.toml (needs uv).
	$(compile) -o requirements.txt
	$(compile) --extra dev --extra bench -c requirements.txt -o requirements-dev.txt

clean: ## Remove caches and build results; .venv and data stay.
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -path ./.venv -prune -o -type d -name __pycache__ -exec rm -rf {} +

setup-%:
	@scripts/setup.sh $*

# make demo       the whole pipeline on CarRacing-v3 at a small size, into log/demo/
#                 make demo SEED=1: another one, into log/demo-1/
# make play       watch a trained driver: in a window, or without a display as pretrained/carracing2/drive.mp4
# make test       all fast tests
# make test-slow  the slow ones too
# make lint       format and lint check
# make lock       requirements.txt from requirements.in (needs uv)
# Each sets up .venv by itself. PYTHON chooses the interpreter: make demo PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
RUN = $(BIN)/python
DEMO = demo$(if $(SEED),-$(SEED))
DISPLAYED = $(or $(DISPLAY),$(WAYLAND_DISPLAY),$(filter Darwin,$(shell uname)))
.DEFAULT_GOAL := help
.PHONY: help demo play test test-slow lint lock

help:
	@grep '^# ' Makefile | sed 's/^# //'

.venv/ok: requirements.txt $(wildcard fast_carracing/*.py fast_carracing/pyproject.toml)
	@$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), "Python 3.11, 3.12 or 3.13 is needed; name one with PYTHON="'
	@echo "Setting up .venv: two minutes or three, once, and 3.5 GB of disk."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch .venv/ok

demo: .venv/ok
	$(RUN) -m record.extract carracing --run $(DEMO) --preset demo --seed $(or $(SEED),0)000
	$(RUN) -m vae.train carracing --run $(DEMO) --seed $(or $(SEED),0)
	$(RUN) -m series.encode carracing --run $(DEMO)
	$(RUN) -m rnn.train carracing --run $(DEMO) --seed $(or $(SEED),0)
	$(RUN) train.py carracing --run $(DEMO) --seed $(or $(SEED),0)
	$(RUN) evaluate.py log/$(DEMO) --video
	$(RUN) evaluate.py log/$(DEMO) --dream --video --steps 300
	$(RUN) -m report.plot log/$(DEMO)
	$(RUN) evaluate.py log/$(DEMO) --episodes 16 --baselines
	@echo "That is the score of your driver, and of two that learned nothing. Look at log/$(DEMO)/:"
	@echo "  drive.mp4            the drive; beside it what the agent sees, and what V makes of it"
	@echo "  dream.mp4            the game, and beside it M's dream of it from the same frame on"
	@echo "  training.png         the scores of evolution; losses.png: those of V and M"
	@echo "  reconstructions.png  frames, and what V makes of them; dreams.png: what M imagines"

play: .venv/ok
	@echo "$(if $(DISPLAYED),A window opens; Escape closes it.,No display: ten seconds of a drive are filmed.)"
	$(RUN) evaluate.py pretrained/carracing2 $(if $(DISPLAYED),--render,--video --engine fast --steps 500)

test: .venv/ok
	$(RUN) -m pytest -n auto --dist worksteal -m "not slow"

test-slow: .venv/ok
	$(RUN) -m pytest -n auto --dist worksteal

lint: .venv/ok
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

lock:
	uv pip compile --universal --python-version 3.11 --no-header --no-annotate requirements.in -o requirements.txt

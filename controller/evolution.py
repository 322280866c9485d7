"""Evolution of C in one world: its optimiser, counters, logs and checkpoint, in one folder."""

from __future__ import annotations

import functools
import json
import math
import time
from pathlib import Path

import numpy as np

import config
import runs
from controller.components import Components, InComponents, measure_components
from controller.jobs import play_all
from controller.logs import Logs
from controller.model import Shape, count_params, save_controller
from controller.optimizers import Optimizer, make_optimizer
from controller.regression import variations
from controller.tracks import empty_bank, keep_hardest, training_seeds
from runs import workers


def new_optimizer(
    options: config.Controller,
    shape: Shape,
    components: Components | None = None,
    generation: int = 0,
) -> Optimizer | InComponents:
    """Make the optimiser that the options ask for, of C's weights or of its `components`.

    Args:
        generation: after which it begins; decides its chance, with the run's seed.

    Raises:
        RunError: it cannot start with these options.
    """
    along = options.components_sigma if components else 0.0
    make = functools.partial(
        make_optimizer,
        options.optimizer,
        population=options.population,
        sigma_init=along or options.sigma_init,
        sigma_decay=options.sigma_decay,
        weight_decay=options.weight_decay,
        antithetic=options.antithetic,
        seed=options.seed + generation,
    )
    try:
        return InComponents(make, components, shape) if components else make(count_params(shape))
    except ValueError as error:
        raise runs.RunError(f"{options.optimizer} cannot start: {error}") from None


def judged_by(options: config.Controller) -> tuple:
    """What scores of evaluations depend on; others cannot be compared with the best one."""
    return (
        options.max_steps,
        options.eval_episodes,
        options.temperature,
        options.sigma_temperature,
        options.done_threshold,
        options.start == "any",
    )


class Evolution:
    """One evolution, as rank 0 sees it.

    Args:
        pool: plays the candidates. path: the run's folder, with V and M.
        cfg: whose `controller` section is evolved by.
        shape: the form of C. optimizer: what is asked and told at first.
        marks: of V and M (`runs.made_from`).

    Attributes:
        state: what a checkpoint keeps beside the optimiser.
    """

    def __init__(
        self,
        pool,
        path: Path,
        cfg: config.Config,
        shape: Shape,
        optimizer: Optimizer | InComponents,
        marks: dict[str, str],
    ):
        self.pool, self.path, self.cfg, self.options = pool, path, cfg, cfg.controller
        self.shape, self.optimizer, self.marks = shape, optimizer, marks
        self.folder = path / "controller"
        self.state = {
            "generation": 0,
            "seconds": 0.0,
            "best": -math.inf,
            "best_params": np.zeros_like(optimizer.mean),
            "last": 0.0,
            "evaluated": 0,
            "max_steps": self.options.max_steps,
            "judged_by": judged_by(self.options),
            "bank": empty_bank(),
            "measured": -1,  # generation after which components were measured last
        }
        self.restore()
        if not self.options.cap_time:  # it may have been another before a restart
            self.state["max_steps"] = self.options.max_steps
        options = self.options
        names = (config.run_name(cfg.game), options.optimizer, options.episodes, options.population)
        self.logs = Logs(self.folder / ".".join(map(str, names)), self.state["generation"])

    @property
    def checkpoint(self) -> Path:
        """The file that the next generation starts from."""
        return self.folder / "checkpoint.npz"

    def save(self) -> None:
        """Save the optimiser and the counters."""
        arrays = {f"optimizer.{k}": v for k, v in self.optimizer.state().items()}
        if isinstance(self.optimizer, InComponents):
            found = self.optimizer.components._asdict()
            arrays |= {f"components.{k}": v for k, v in found.items()}
        arrays["made_from"] = np.frombuffer(json.dumps(self.marks).encode(), np.uint8)
        state = {k: np.array(v) for k, v in self.state.items()}
        runs.write_npz(self.checkpoint, arrays | state)

    def restore(self) -> None:
        """Load what `save` wrote, if there is anything.

        Raises:
            RunError: V or M has changed since, or it is of another optimiser or version.
        """
        file = self.checkpoint
        if not file.exists():
            return
        data = {"measured": np.array(-1)} | runs.read_npz(file)  # older ones never did
        runs.check_made_from(self.path, file, json.loads(data["made_from"].tobytes()))
        if lacking := self.state.keys() - data.keys():
            raise runs.RunError(f"{file} is of another version (no {min(lacking)}); delete it")
        if "components.mean" in data:
            found = Components(*(data[f"components.{k}"] for k in Components._fields))
            self.optimizer = new_optimizer(self.options, self.shape, found)
        prefix = "optimizer."
        saved = {k.removeprefix(prefix): v for k, v in data.items() if k.startswith(prefix)}
        try:
            self.optimizer.load_state(saved)
        except (KeyError, ValueError) as error:
            raise runs.RunError(f"{file} is of another optimiser ({error}); delete it") from None
        judged = self.state["judged_by"]
        self.state = {k: data[k].item() if data[k].ndim == 0 else data[k] for k in self.state}
        if tuple(self.state["judged_by"]) != judged:
            self.state |= {"best": -math.inf, "judged_by": judged}

    def finished(self) -> str:
        """Why evolution is over, or nothing."""
        options, state = self.options, self.state
        if options.generations and state["generation"] >= options.generations:
            return f"generation {state['generation']} reached"
        if options.hours and state["seconds"] >= options.hours * 3600:
            return f"{options.hours} hours of evolution reached"
        fresh = 0 < state["evaluated"] == state["generation"]
        if fresh and state["last"] >= options.target_return:
            return f"target return {options.target_return} reached"
        return ""

    def time_left(self, seconds: float) -> str:
        """How long evolution will go on at `seconds` a generation."""
        options, state, limits = self.options, self.state, []
        if options.generations:
            limits.append((options.generations - state["generation"]) * seconds)
        if options.hours:
            limits.append(options.hours * 3600 - state["seconds"])
        return f"{runs.clock(max(0, min(limits)))} left" if limits else "no limit"

    def play(self, params: np.ndarray, seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Play episodes that C learns from, with params (jobs, P): (returns, lengths)."""
        steps, stall = int(self.state["max_steps"]), self.options.stall
        return play_all(self.pool, self.path, self.cfg, params, seeds, steps, stall)

    def begin_with(self, first: np.ndarray) -> None:
        """Start from the best variation of a C with params (P,).

        All play one track; then the best sixteenth goes on and plays four times as many.
        """
        options, start, tracks = self.options, time.monotonic(), 1
        rng = np.random.default_rng((options.seed, 5))
        left = variations(first, self.shape, options.fit_first, rng)
        while len(left) > 1:
            seeds = rng.integers(config.TRAIN_SEEDS, 2**31, tracks)
            jobs = np.repeat(left, tracks, axis=0), np.tile(seeds, len(left))
            scores = self.play(*jobs)[0].reshape(-1, tracks).mean(1)
            print(
                f"first: {len(left)} variations of the fitted C x {tracks} episodes · "
                f"mean {scores.mean():.1f} · best {scores.max():.1f} · "
                f"{time.monotonic() - start:.1f} s",
                flush=True,
            )
            left = left[np.argsort(-scores, kind="stable")[: math.ceil(len(left) / 16)]]
            tracks *= 4
        self.optimizer.set_mean(left[0])
        self.state["seconds"] += time.monotonic() - start

    def next_generation(self) -> None:
        """Ask for candidates, let them play, and tell the optimiser how they did."""
        options, state, start = self.options, self.state, time.monotonic()
        state["generation"] += 1
        candidates = self.optimizer.ask()
        seeds = training_seeds(options, state["generation"], state["bank"])
        params = np.repeat(candidates, options.episodes, axis=0)
        returns, lengths = self.play(params, seeds.ravel())
        returns = returns.reshape(seeds.shape)
        scores = returns.mean(1)
        self.optimizer.tell(scores)
        if options.common_seeds:
            state["bank"] = keep_hardest(state["bank"], seeds[0], returns)
        if options.cap_time:
            state["max_steps"] = min(options.max_steps, 2 * int(lengths.mean() + 1))
        seconds = time.monotonic() - start
        state["seconds"] += seconds
        optimizer = self.optimizer
        self.logs.generation(state, seconds, scores, lengths, optimizer.sigma, optimizer.mean)
        rate = lengths.sum() / seconds
        print(
            f"generation {state['generation']} · mean {scores.mean():.1f} · best {scores.max():.1f}"
            f" · sigma {optimizer.sigma:.4f} · {rate:,.0f} steps/s · {seconds:.1f} s · "
            + self.time_left(seconds),
            flush=True,
        )

    def evaluate(self) -> None:
        """Evaluate the distribution's mean; keep it if it is the best so far."""
        options, state, start = self.options, self.state, time.monotonic()
        params = np.round(self.optimizer.mean, 4)
        seeds = config.EVAL_SEEDS + np.arange(options.eval_episodes)
        every = np.tile(params, (len(seeds), 1))
        scores, _ = play_all(self.pool, self.path, self.cfg, every, seeds, options.max_steps)
        score = float(scores.mean())
        seconds = time.monotonic() - start
        state["seconds"] += seconds
        self.logs.evaluation(state, seconds, scores, params)
        if score >= state["best"]:
            about = {"generation": state["generation"], "score": score}
            save_controller(self.path, params, self.marks, **about)
            state["best"], state["best_params"] = score, params
        elif options.retrain:
            self.optimizer.set_mean(state["best_params"])
        state["last"], state["evaluated"] = score, state["generation"]
        print(
            f"evaluation at generation {state['generation']}: {score:.1f} ± {scores.std():.1f} "
            f"over {len(scores)} tracks · best {state['best']:.1f}",
            flush=True,
        )

    def measure(self) -> None:
        """Go on from here along principal components of what C sees now."""
        state, driver = self.state, self.optimizer.mean
        start, generation = time.monotonic(), state["generation"]
        who = f"the mean of generation {generation}"
        found = measure_components(
            self.pool, self.path, self.cfg, driver, who, (self.options.seed, generation)
        )
        self.optimizer = new_optimizer(self.options, self.shape, found, generation)
        self.optimizer.set_mean(driver)
        state["measured"] = generation
        state["seconds"] += time.monotonic() - start

    def describe(self) -> str:
        """Say what evolves, where, and from which generation on."""
        options, generation = self.options, self.state["generation"]
        where = f"temperature {options.temperature}" if options.world == "dream" else ""
        where = f"in the {options.world}, {where or 'engine ' + options.engine}"
        return (
            f"controller: {options.optimizer}, {len(self.optimizer.mean)} parameters, "
            f"{options.population} candidates x {options.episodes} episodes, {where}; "
            f"{workers.describe(self.pool.size)}"
            + (f"; goes on at generation {generation + 1}" if generation else "")
        )

    def run(self) -> str:
        """Evolve until a limit is reached; returns which."""
        state = self.state
        while not (why := self.finished()):
            if state["measured"] < state["generation"] in self.options.components_at:
                self.measure()
            self.next_generation()
            if state["generation"] % self.options.eval_every == 0 or self.finished():
                self.evaluate()
            self.save()
        return why

"""AlphaZero on board games: play against itself, learn from it, keep the better network.

    python train_boards.py tictactoe                minutes
    python train_boards.py connect4 --hours 2
    python train_boards.py othello --run big --residual-num 6

An iteration plays n_self_plays games with the best network and its search, trains the new network
on the replay, and lets the two play a match: the new one becomes the best if it wins more than
update_threshold of the games that somebody wins, or if nobody wins any. It is trained on in either
case.

log/<run>/ holds config.json, network.weights.h5 (the best), networks/ (each that became the best),
metrics.jsonl, checkpoint.npz, replay.npz and training.png. The same command goes on where it
stopped, and loses at most the games that were being played.
"""

from __future__ import annotations

import time
from pathlib import Path
from types import ModuleType

import numpy as np

import boards
import config
import runs
from boards.match import ELO_START, counts, match, update_elo, win_rate
from boards.players import Planner, settings_of
from boards.replay import Replay, self_play
from runs import cli, workers

PLAY, TRAIN, MATCH = range(3)  # what a chance is for


class Training:
    """A run while it is trained.

    Attributes:
        new, best: the networks. state: what a checkpoint says beside them.
    """

    def __init__(self, path: Path, rules: ModuleType, options: config.Boards):
        import keras

        from boards.model import Judge, make_network, make_train_step

        keras.utils.set_random_seed(options.seed)
        self.path, self.rules, self.options = path, rules, options
        self.new, self.best = make_network(rules, options), make_network(rules, options)
        self.optimizer = keras.optimizers.SGD(options.lr, options.momentum, nesterov=True)
        self.optimizer.build(self.new.trainable_variables)
        self.variables = [*self.new.variables, *self.optimizer.variables, *self.best.variables]
        self.state = {"iteration": 0, "elo": ELO_START, "seconds": 0.0}
        self.checkpoint = path / "checkpoint.npz"
        if self.checkpoint.exists():
            self.state = runs.load_checkpoint(self.checkpoint, self.variables)
        else:
            self.best.set_weights(self.new.get_weights())
        self.optimizer.learning_rate.assign(options.lr)
        self.replay = Replay(path / "replay.npz", rules)
        self.metrics = runs.Metrics(path, "iteration", start=self.state["iteration"] + 1)
        self.step = make_train_step(self.new, self.optimizer)
        settings = settings_of(options)
        self.player, self.challenger = (
            Planner(rules, Judge(rules, network), settings) for network in (self.best, self.new)
        )

    def chance(self, purpose: int, number: int) -> np.random.Generator:
        """The random numbers of one thing that is done, the same after a kill."""
        return np.random.default_rng([self.options.seed, purpose, number])

    def play(self, iteration: int) -> None:
        """Play until the replay has the games of this iteration."""
        replay, options = self.replay, self.options
        while replay.iteration < iteration:
            rng = self.chance(PLAY, replay.games)
            new, replay.facts = self_play(self.rules, self.player, options, rng)
            replay.add(new, options.exp_replay_size)
            replay.games += options.n_self_plays
            if len(replay) >= min(options.min_examples, options.exp_replay_size):
                replay.iteration = iteration
            replay.save()

    def train(self, iteration: int) -> np.ndarray:
        """Pass over the replay; returns the mean losses, of policy and value.

        Raises:
            RunError: the loss is not finite.
        """
        options, rng = self.options, self.chance(TRAIN, iteration)
        size = min(options.batch_size, len(self.replay))
        batches = len(self.replay) // size
        progress = runs.Progress(options.epochs * batches * size, "positions")
        losses = []
        for _ in range(options.epochs):
            order = rng.permutation(len(self.replay))
            for rows in order[: batches * size].reshape(batches, size):
                turn = rng if options.symmetries else None
                losses.append(self.step(*self.replay.batch(rows, self.rules, turn)).numpy())
                if not np.isfinite(losses[-1]).all():
                    raise runs.RunError(
                        f"the network broke down in iteration {iteration}: its loss is "
                        f"{losses[-1][0]}; lower --lr and run the same command"
                    )
                progress.add(size)
        return np.mean(losses, 0)

    def compare(self, iteration: int) -> dict:
        """Let the new network play the best; says how, and whether it takes its place."""
        options = self.options
        if not options.n_tournaments:
            return {"elo": self.state["elo"], "accepted": True}
        games = 2 * ((options.n_tournaments + 1) // 2)
        result = match(
            self.rules,
            self.challenger,
            self.player,
            games,
            options.openings,
            self.chance(MATCH, iteration),
        )
        wins, draws, losses = counts(result)
        elo = update_elo(self.state["elo"], self.state["elo"], result)[0]
        facts = {"wins": wins, "draws": draws, "losses": losses, "challenger_elo": round(elo, 1)}
        accepted = not (wins or losses) or win_rate(result) > options.update_threshold
        return facts | {"elo": elo if accepted else self.state["elo"], "accepted": accepted}

    def iterate(self) -> dict:
        """Play, train, compare, save; returns the row of the metrics."""
        iteration, start = self.state["iteration"] + 1, time.monotonic()
        self.play(iteration)
        policy_loss, value_loss = self.train(iteration)
        facts = self.compare(iteration)
        if facts["accepted"]:
            self.best.set_weights(self.new.get_weights())
            runs.save_weights(self.best, self.path / "networks" / f"{iteration:04d}.weights.h5")
        seconds = time.monotonic() - start
        total = self.state["seconds"] + seconds
        self.state = {"iteration": iteration, "elo": facts["elo"], "seconds": total}
        row = {
            "iteration": iteration,
            "games": self.replay.games,
            "positions": len(self.replay),
            **self.replay.facts,
            "policy_loss": round(float(policy_loss), 4),
            "value_loss": round(float(value_loss), 4),
            **facts,
            "elo": round(facts["elo"], 1),
            "seconds": round(seconds, 1),
            "hours": round(total / 3600, 4),
        }
        self.metrics.write(**row)
        runs.save_checkpoint(self.checkpoint, self.variables, **self.state)
        self.export()
        return row

    def export(self) -> None:
        """Write the best network's weights."""
        runs.save_weights(self.best, self.path / "network.weights.h5")

    def finished(self) -> bool:
        """Whether the limits of the run are reached."""
        iteration, hours = self.state["iteration"], self.state["seconds"] / 3600
        options = self.options
        return 0 < options.max_iter <= iteration or 0 < options.hours <= hours

    def left(self, pace: float) -> str:
        """The time to the next limit, if an iteration takes `pace` seconds."""
        options, limits = self.options, []
        if options.max_iter:
            limits.append((options.max_iter - self.state["iteration"]) * pace)
        if options.hours:
            limits.append(options.hours * 3600 - self.state["seconds"])
        return f" · {runs.clock(max(0, min(limits)))} left" if limits else ""


def report(row: dict, pace: float, left: str) -> None:
    """Print the line of an iteration."""
    played = "no match"
    if "wins" in row:
        played = f"match {row['wins']}:{row['losses']}, {row['draws']} drawn"
    print(
        f"iteration {row['iteration']}: policy {row['policy_loss']:.3f} value "
        f"{row['value_loss']:.3f} · {played}{' · new best' if row['accepted'] else ''} · "
        f"Elo {row['elo']:.0f} · {row['plies_per_second']:.0f} plies/s · {pace:.0f} s{left}",
        flush=True,
    )


def check(game: str, options: config.Boards) -> None:
    """Refuse options that cannot be.

    Raises:
        RunError: says which.
    """
    if not options.n_simulations and not options.timeout:
        raise runs.RunError("a search needs --n-simulations or --timeout")
    most = boards.load(game).OPENINGS
    if options.openings > most:
        raise runs.RunError(f"--openings is {options.openings}; {game} allows at most {most}")


def main() -> None:
    run, cfg = cli.parse("boards", __doc__)
    workers.alone("train_boards.py")
    options = cfg.boards
    check(cfg.game, options)
    path = runs.claim(run, "boards", cfg)
    (path / "networks").mkdir(exist_ok=True)
    runs.sweep(path)
    runs.tensorflow(options.threads)
    training = Training(path, boards.load(cfg.game), options)
    at = training.state["iteration"]
    print(
        f"boards: {cfg.game}, {training.new.count_params():,} parameters, "
        f"{options.n_self_plays} games an iteration, {options.n_simulations} simulations a move"
        + (f"; goes on at iteration {at + 1}" if at else ""),
        flush=True,
    )
    training.export()
    while not training.finished():
        start = time.monotonic()
        row = training.iterate()
        pace = time.monotonic() - start
        report(row, pace, training.left(pace))
    from boards.plot import draw

    draw(path)
    print(f"done: {path / 'network.weights.h5'}")


if __name__ == "__main__":
    cli.run(main)

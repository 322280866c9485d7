"""What a search thought: its tree as text, and the frames that M imagined along its plan."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import imageio.v3 as imageio
import numpy as np

import config
import envs
import runs
from controller.show import Scene, Start, paint_dream, paint_game
from envs.batch import Batch
from planner.agent import Agent
from planner.mcts import Tree
from planner.play import Player, Sleeper
from record.driver import Turn, make_games, play
from rnn.dream import Dream
from rnn.dream_games import DreamGames
from rnn.pictures import grid
from runs.video import big, write_on
from vae.model import to_uint8

COLUMNS = 12  # frames in a row of tree.png


def principal_line(tree: Tree, game: int = 0) -> tuple[list[int], list[int]]:
    """Nodes and actions along the most visited edges from a game's root."""
    node, nodes, actions = int(tree.roots[game]), [], []
    while tree.edge_visits[node].any():
        action = int(tree.edge_visits[node].argmax())
        node = int(tree.child[node, action])
        nodes.append(node)
        actions.append(action)
    return nodes, actions


def describe(tree: Tree, node: int, levels: int = 2, indent: str = "") -> list[str]:
    """Lines of text: the tried edges below a node, the most visited first."""
    lines = []
    for action in np.argsort(-tree.edge_visits[node], kind="stable"):
        if not tree.edge_visits[node, action]:
            continue
        edge = node, action
        lines.append(
            f"{indent}action {action}: {tree.edge_visits[edge]:4.0f} visits · "
            f"Q {tree.edge_q[edge]:6.2f} · prior {tree.prior[edge]:.2f} · "
            f"reward {tree.reward[edge]:5.2f} · discount {tree.discount[edge]:.2f}"
        )
        if levels > 1:
            lines += describe(tree, int(tree.child[edge]), levels - 1, indent + "    ")
    return lines


def imagined(agent: Agent, tree: Tree, nodes: list[int]) -> list[np.ndarray]:
    """Frames uint8 (64, 64, 3) that V makes of nodes of M's tree."""
    if not nodes:
        return []
    z = tree.states[nodes][:, agent.latent.z_at]
    return list(to_uint8(agent.decode(z)))


def show_tree(
    path: Path, cfg: config.Config, agent: Agent, engine: str, seed: int, number: int
) -> None:
    """Print the tree of move `number` of an episode, and draw the plan's frames: tree.png.

    Raises:
        RunError: the episode has no such move.
    """
    games, player = make_games(cfg, 1, engine, agent.options.max_steps), Player(agent, 1)
    frames: list[np.ndarray] = []
    totals: list[float] = []

    def watch(turn: Turn) -> None:
        frames[:] = [games.obs[0].copy()]
        totals.append(turn.total[0])

    list(play(games, player, [seed], watch=watch, budget=number + 1))
    if len(totals) <= number:
        raise runs.RunError(f"the episode of seed {seed} is over before move {number}")
    tree, action = player.choice.tree, player.choice.actions[0]
    nodes, actions = principal_line(tree)
    print(f"move {number} of the episode of seed {seed}, score so far {totals[-1]:g}")
    print(f"value {tree.value[0]:.2f} · depth {tree.max_depth()[0]} · plays {action}")
    print("\n".join(describe(tree, 0)))
    print("plan: " + " ".join(map(str, actions)))
    frames += imagined(agent, tree, nodes)
    rows = [frames[i : i + COLUMNS] for i in range(0, len(frames), COLUMNS)]
    picture = grid(rows).repeat(2, 0).repeat(2, 1)
    with runs.replacing(path / "tree.png") as file:
        file.write(imageio.imwrite("<bytes>", picture, extension=".png"))
    print(f"written {path / 'tree.png'}: the frame, and what M imagines along the plan")


def paint_plan(games: Batch, player: Player, turn: Turn) -> np.ndarray:
    """Paint the game, and the frames 1 and 5 steps down the plan: uint8 (400, 800, 3)."""
    tree = player.choice.tree
    nodes, _ = principal_line(tree)
    ahead = imagined(player.agent, tree, nodes)
    right = [big(ahead[min(k, len(ahead) - 1)], 200, 200) for k in (0, 4)]
    text = f"score {turn.total[0]:g}  value {tree.value[0]:.2f}"
    return np.concatenate([write_on(games.picture().copy(), text), np.concatenate(right)], axis=1)


class Planned:
    """A planner in the game and in the dream (controller/show.py).

    Args:
        by_hand: the keyboard will play, so that nothing is planned.
    """

    def __init__(
        self,
        cfg: config.Config,
        agent: Agent,
        engine: str,
        dream: Dream | None = None,
        by_hand: bool = False,
    ):
        self.cfg, self.engine, self.dream, self.by_hand = cfg, engine, dream, by_hand
        blind = dataclasses.replace(agent.options, n_simulations=0, timeout=0.0)
        self.agent = dataclasses.replace(agent, options=blind) if by_hand else agent
        self.game, self.longest = envs.load(cfg.game), dream.max_steps if dream else 0

    def awake(self) -> Scene:
        steps = self.agent.options.max_steps
        games, player = make_games(self.cfg, 1, self.engine, steps), Player(self.agent, 1)
        paint = functools.partial(paint_plan, games, player)
        if self.by_hand:
            paint = functools.partial(paint_game, games, self.agent.decode)
        return Scene(games, player, paint)

    def asleep(self, start: Start | None = None) -> Scene:
        games = DreamGames(self.game, self.dream, self.agent.decode, start=start)
        return Scene(games, Sleeper(self.agent, 1), functools.partial(paint_dream, games))

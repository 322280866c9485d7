"""What a search thought: its tree as text, and the frames that M imagined along its plan."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as imageio
import numpy as np

import config
import envs
import runs
from controller.show import big, write_on
from planner.agent import Agent, decide
from planner.mcts import Tree
from rnn.pictures import grid
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


def moves(cfg: config.Config, agent: Agent, engine: str, seed: int) -> Iterator[tuple]:
    """Play one episode greedily; yields (games, tree, decision, reward so far) before each move."""
    games = envs.load(cfg.game).make(1, engine, agent.options.max_steps)
    games.reset(seed=seed)
    memory, rng = np.zeros((1, 2 * agent.latent.hidden), np.float32), np.random.default_rng(seed)
    total, move, over = 0.0, 0, False
    while not over:
        root = agent.see(games.obs[:1], memory)
        choice = decide(agent.latent, root, agent.options, np.array([move]), [rng], False)
        yield games, choice.tree, choice, total
        memory = agent.latent.memory(agent.latent.remember(root.states, choice.actions))
        _, reward, terminated, truncated, _ = games.step(choice.actions)
        total, move = total + float(reward[0]), move + 1
        over = bool(terminated[0] or truncated[0])
    games.close()


def show_tree(
    path: Path, cfg: config.Config, agent: Agent, engine: str, seed: int, number: int
) -> None:
    """Print the tree of move `number` of an episode, and draw the plan's frames: tree.png.

    Raises:
        RunError: the episode has no such move.
    """
    found = next(itertools.islice(moves(cfg, agent, engine, seed), number, None), None)
    if found is None:
        raise runs.RunError(f"the episode of seed {seed} is over before move {number}")
    games, tree, choice, total = found
    nodes, actions = principal_line(tree)
    print(f"move {number} of the episode of seed {seed}, score so far {total:g}")
    print(f"value {tree.value[0]:.2f} · depth {tree.max_depth()[0]} · plays {choice.actions[0]}")
    print("\n".join(describe(tree, 0)))
    print("plan: " + " ".join(map(str, actions)))
    frames = [games.obs[0], *imagined(agent, tree, nodes)]
    rows = [frames[i : i + COLUMNS] for i in range(0, len(frames), COLUMNS)]
    picture = grid(rows).repeat(2, 0).repeat(2, 1)
    with runs.replacing(path / "tree.png") as file:
        file.write(imageio.imwrite("<bytes>", picture, extension=".png"))
    print(f"written {path / 'tree.png'}: the frame, and what M imagines along the plan")


def episode_pictures(
    cfg: config.Config, agent: Agent, engine: str, seed: int
) -> Iterator[np.ndarray]:
    """Pictures uint8 (400, 800, 3): the game, and the frames 1 and 5 steps down the plan."""
    for games, tree, _, total in moves(cfg, agent, engine, seed):
        nodes, _ = principal_line(tree)
        ahead = imagined(agent, tree, nodes)
        right = [big(ahead[min(k, len(ahead) - 1)], 200, 200) for k in (0, 4)]
        left = write_on(games.picture().copy(), f"score {total:g}  value {tree.value[0]:.2f}")
        yield np.concatenate([left, np.concatenate(right)], axis=1)

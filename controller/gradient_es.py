"""Evolution strategies that follow an estimated gradient of the expected fitness.

    openes   Salimans et al. 2017, "Evolution Strategies as a Scalable Alternative to RL"
    pepg     Sehnke et al. 2010, "Parameter-exploring policy gradients"
    ses      pepg's adaptive stds, but the mean goes to the mean of the best tenth

`Optimizer` is what they share with the rest of controller/optimizers.py: use `make_optimizer`.
"""

from __future__ import annotations

import abc
import dataclasses

import numpy as np

SIGMA_LIMIT = 0.02  # stds stop decaying below it
SIGMA_ALPHA = 0.2  # learning rate of PEPG's stds
SIGMA_MAX_CHANGE = 0.2  # largest relative change of a std in a generation
LEARNING_RATE = 0.01  # Adam's, constant
BETA1, BETA2, EPSILON = 0.99, 0.999, 1e-8  # Adam's
ELITE_RATIO = 0.1  # share of the population that SES and GA learn from


@dataclasses.dataclass(frozen=True)
class Settings:
    """What an optimiser is made of; see `make_optimizer`.

    Raises:
        ValueError: a value is out of its range.
    """

    num_params: int
    population: int
    sigma_init: float
    sigma_decay: float
    weight_decay: float
    antithetic: bool
    seed: int
    x0: np.ndarray

    def __post_init__(self):
        if self.num_params < 1:
            raise ValueError(f"num_params must be at least 1, not {self.num_params}")
        if self.population < 4:
            raise ValueError(f"population must be at least 4, not {self.population}")
        if not 0 < self.sigma_init < np.inf:
            raise ValueError(f"sigma_init must be positive, not {self.sigma_init}")
        if not 0 < self.sigma_decay <= 1:
            raise ValueError(f"sigma_decay must be in (0, 1], not {self.sigma_decay}")
        if not 0 <= self.weight_decay < np.inf:
            raise ValueError(f"weight_decay must not be negative, but is {self.weight_decay}")


class Optimizer(abc.ABC):
    """Ask for candidates, tell their fitness, again and again; fitness is maximised.

    Attributes:
        generation: generations told so far.
        best, best_fitness: the best candidate ever told, (N,), and its fitness as told. Under
            noise it is the luckiest one: play `mean` instead.
        rng: the only source of randomness. NumPy's global state is never used.
    """

    name: str

    def __init__(self, settings: Settings):
        self.settings = settings
        self.rng = np.random.default_rng(settings.seed)
        self.generation = 0
        self.best = settings.x0.copy()
        self.best_fitness = -np.inf
        self._asked: np.ndarray | None = None

    def ask(self) -> np.ndarray:
        """Sample the candidates of a generation: (P, N) float64, the caller's to change."""
        self._asked = self._sample()
        return self._asked.copy()

    def tell(self, fitness: np.ndarray) -> None:
        """Learn from the fitness (P,) of the candidates that `ask` returned last.

        What is maximised is fitness - weight_decay * mean(w^2) of each candidate w.

        Raises:
            RuntimeError: nothing was asked since the last `tell`.
            ValueError: not P finite numbers.
        """
        if self._asked is None:
            raise RuntimeError("tell() needs an ask() before it")
        fitness = np.asarray(fitness, np.float64)
        if fitness.shape != (self.settings.population,) or not np.isfinite(fitness).all():
            raise ValueError(f"fitness must be {self.settings.population} finite numbers")
        leader = int(fitness.argmax())
        if fitness[leader] > self.best_fitness:
            self.best, self.best_fitness = self._asked[leader].copy(), float(fitness[leader])
        decay = self.settings.weight_decay * np.square(self._asked).mean(axis=1)
        self._learn(self._asked, fitness - decay)
        self._asked = None
        self.generation += 1

    def state(self) -> dict[str, np.ndarray]:
        """Everything that the next generations depend on, as plain arrays for `np.savez`.

        Raises:
            RuntimeError: called between `ask` and `tell`.
        """
        if self._asked is not None:
            raise RuntimeError("state() must follow tell(), not ask()")
        return {
            "optimizer": np.array(self.name),
            "size": np.array([self.settings.population, self.settings.num_params]),
            "generation": np.array(self.generation),
            "best": self.best.copy(),
            "best_fitness": np.array(self.best_fitness),
            "rng": pack_rng(self.rng),
        } | {name: np.array(value) for name, value in self._arrays().items()}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from `state`, bit for bit (on the same machine with as many BLAS threads).

        Raises:
            ValueError: the state is incomplete or of another optimiser.
        """
        names = list(self._arrays())
        check_keys(state, ["optimizer", "size"])
        saved = (str(state["optimizer"]), *state["size"].tolist())
        own = (self.name, self.settings.population, self.settings.num_params)
        if saved != own:
            raise ValueError(
                "the state is of {} with {} candidates of {} parameters, ".format(*saved)
                + "not of {} with {} candidates of {}".format(*own)
            )
        check_keys(state, ["generation", "best", "best_fitness", "rng", *names])
        self.generation = int(state["generation"])
        self.best = np.array(state["best"])
        self.best_fitness = float(state["best_fitness"])
        unpack_rng(self.rng, state["rng"])
        self._asked = None
        self._load({name: np.array(state[name]) for name in names})

    def set_mean(self, x: np.ndarray) -> None:
        """Move the distribution's mean to x (N,); stds, covariances and momentum stay.

        Raises:
            ValueError: x is not N finite numbers.
        """
        self._set_mean(as_vector(x, self.settings.num_params))

    @property
    @abc.abstractmethod
    def mean(self) -> np.ndarray:
        """The distribution's mean, (N,), a copy: the one to evaluate."""

    @property
    @abc.abstractmethod
    def sigma(self) -> float:
        """The step size: the mean of the parameters' stds."""

    @abc.abstractmethod
    def _sample(self) -> np.ndarray: ...

    @abc.abstractmethod
    def _learn(self, candidates: np.ndarray, fitness: np.ndarray) -> None: ...

    @abc.abstractmethod
    def _arrays(self) -> dict[str, np.ndarray]: ...

    @abc.abstractmethod
    def _load(self, arrays: dict[str, np.ndarray]) -> None: ...

    @abc.abstractmethod
    def _set_mean(self, x: np.ndarray) -> None: ...


class OpenES(Optimizer):
    """Salimans et al. 2017, Algorithm 1: equal stds that decay, Adam along the gradient."""

    name = "openes"

    def __init__(self, settings: Settings):
        super().__init__(settings)
        if settings.antithetic and settings.population % 2:
            raise ValueError(
                f"antithetic sampling needs an even population, not {settings.population}"
            )
        self._mean = settings.x0.copy()
        self._stds = np.full(settings.num_params, settings.sigma_init)
        self._moment1 = np.zeros(settings.num_params)
        self._moment2 = np.zeros(settings.num_params)

    @property
    def mean(self) -> np.ndarray:
        return self._mean.copy()

    @property
    def sigma(self) -> float:
        return float(self._stds.mean())

    def _sample(self) -> np.ndarray:
        """Candidate i + P/2 mirrors candidate i when sampling is antithetic."""
        population, num_params = self.settings.population, self.settings.num_params
        if self.settings.antithetic:
            half = self.rng.standard_normal((population // 2, num_params))
            noise = np.concatenate([half, -half])
        else:
            noise = self.rng.standard_normal((population, num_params))
        return self._mean + self._stds * noise

    def _learn(self, candidates: np.ndarray, fitness: np.ndarray) -> None:
        # Algorithm 1, line 5: 1 / (n sigma) sum F_i eps_i, where eps is (candidate - mean) / sigma
        steps = candidates - self._mean
        self._climb(centered_ranks(fitness) @ (steps / self._stds**2) / len(fitness))
        self._decay()

    def _climb(self, gradient: np.ndarray) -> None:
        """One step of Adam (Kingma and Ba 2015, Algorithm 1), uphill."""
        t = self.generation + 1
        self._moment1 = BETA1 * self._moment1 + (1 - BETA1) * gradient
        self._moment2 = BETA2 * self._moment2 + (1 - BETA2) * gradient**2
        rate = LEARNING_RATE * np.sqrt(1 - BETA2**t) / (1 - BETA1**t)
        self._mean = self._mean + rate * self._moment1 / (np.sqrt(self._moment2) + EPSILON)

    def _decay(self) -> None:
        decayed = self._stds * self.settings.sigma_decay
        self._stds = np.where(self._stds > SIGMA_LIMIT, decayed, self._stds)

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            "mean": self._mean,
            "stds": self._stds,
            "moment1": self._moment1,
            "moment2": self._moment2,
        }

    def _load(self, arrays: dict[str, np.ndarray]) -> None:
        self._mean, self._stds = arrays["mean"], arrays["stds"]
        self._moment1, self._moment2 = arrays["moment1"], arrays["moment2"]

    def _set_mean(self, x: np.ndarray) -> None:
        self._mean = x


class PEPG(OpenES):
    """Sehnke et al. 2010: every parameter has its own std, which adapts.

    The sums run over single candidates. With antithetic pairs they are the paper's symmetric
    sampling: (r+ - r-) eps for the mean, ((r+ + r-) / 2 - b) (eps^2 - sigma^2) / sigma for the
    stds. The baseline b is the mean fitness, which centred ranks make zero.
    """

    name = "pepg"

    def _learn(self, candidates: np.ndarray, fitness: np.ndarray) -> None:
        steps = candidates - self._mean
        ranks = centered_ranks(fitness)
        self._move(steps, ranks)
        change = ranks @ ((steps**2 - self._stds**2) / self._stds) / (2 * len(ranks))
        limit = SIGMA_MAX_CHANGE * self._stds
        self._stds = self._stds + np.clip(SIGMA_ALPHA * change, -limit, limit)
        self._decay()

    def _move(self, steps: np.ndarray, ranks: np.ndarray) -> None:
        self._climb(ranks @ steps)


class SES(PEPG):
    """PEPG whose mean moves to the mean of the best tenth of the candidates: no learning rate."""

    name = "ses"

    def _move(self, steps: np.ndarray, ranks: np.ndarray) -> None:
        self._mean = self._mean + steps[elite(ranks)].mean(axis=0)


def elite(fitness: np.ndarray) -> np.ndarray:
    """Indices of the best tenth of fitness (P,), at least one, the best first."""
    return np.argsort(-fitness, kind="stable")[: max(1, int(len(fitness) * ELITE_RATIO))]


def centered_ranks(fitness: np.ndarray) -> np.ndarray:
    """Ranks of fitness (P,) scaled to [-0.5, 0.5]; equals share their mean rank."""
    _, inverse, counts = np.unique(fitness, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts + 1) / 2
    return ranks[inverse] / (len(fitness) - 1) - 0.5


def as_vector(x: np.ndarray, size: int) -> np.ndarray:
    """Copy x to float64 (size,), or raise ValueError."""
    x = np.array(x, np.float64)
    if x.shape != (size,) or not np.isfinite(x).all():
        raise ValueError(f"a mean must be {size} finite numbers")
    return x


def check_keys(state: dict[str, np.ndarray], names: list[str]) -> None:
    """Raise ValueError if the state lacks one of the names."""
    missing = [name for name in names if name not in state]
    if missing:
        raise ValueError(f"the optimiser's state has no {', '.join(missing)}")


def pack_rng(rng: np.random.Generator) -> np.ndarray:
    """The state of a PCG64 generator as uint64 (6,): two 128-bit numbers and a spare half."""
    state = rng.bit_generator.state
    words = [state["state"]["state"], state["state"]["inc"]]
    halves = [half for word in words for half in divmod(word, 2**64)]
    return np.array([*halves, state["has_uint32"], state["uinteger"]], np.uint64)


def unpack_rng(rng: np.random.Generator, words: np.ndarray) -> None:
    """Set a PCG64 generator to what `pack_rng` returned."""
    high, low, inc_high, inc_low, has_uint32, uinteger = (int(word) for word in words)
    rng.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": high * 2**64 + low, "inc": inc_high * 2**64 + inc_low},
        "has_uint32": has_uint32,
        "uinteger": uinteger,
    }

"""Black-box optimisers that evolve the controller: cma, openes, pepg, ses, ga.

    optimizer = make_optimizer("cma", 867, population=64, sigma_init=0.1, sigma_decay=0.999,
                               weight_decay=0.01, antithetic=True, seed=0)
    while ...:
        optimizer.tell(play(optimizer.ask()))      # (64, 867) -> (64,)

Fitness is maximised. `state()` is everything as plain arrays; a new optimiser that loads it goes
on exactly where the old one stopped.
"""

from __future__ import annotations

import difflib

import numpy as np

from controller.gradient_es import (
    PEPG,
    SES,
    SIGMA_LIMIT,
    OpenES,
    Optimizer,
    Settings,
    as_vector,
    elite,
)

DIAGONAL_ABOVE = 2000  # parameters from which CMA-ES learns variances only
CROSSOVER = 0.5  # probability that a child's parameter is its second parent's


class CMA(Optimizer):
    """CMA-ES (Hansen 2016, arXiv:1604.00772) by pycma 4.5.

    Covariances are full up to 2,000 parameters and diagonal above (`CMA_diagonal`): a full
    matrix takes 8 N^2 bytes and its eigendecomposition, every few generations, O(N^3). From 300
    parameters pycma adapts the step size by two-point adaptation: candidates 0 and 1 then probe
    forth and back along the last move of the mean. `mean` is pycma's xfavorite. `sigma_decay`
    does not apply, and `antithetic` does not change the sampling. The caller decides when to
    stop: pycma's own criteria are off.

    The state is pycma's attributes that `ask` and `tell` read, named below.
    """

    name = "cma"

    # Attributes of the strategy, its step size (two kinds) and its sampler. They are 4.5's.
    STRATEGY = ("mean", "sigma", "pc", "countiter")
    STEP_SIZE = ("ps", "s")
    FULL = ("C", "B", "D", "count_tell", "last_update")
    DIAGONAL = ("standard_deviations",)

    def __init__(self, settings: Settings):
        super().__init__(settings)
        self._start()

    def _start(self) -> None:
        """Make the CMAEvolutionStrategy of generation 0."""
        import cma

        settings = self.settings
        diagonal = settings.num_params > DIAGONAL_ABOVE
        never = {"tolx": 0, "tolfun": 0, "tolfunhist": 0, "tolfunrel": 0, "tolxstagnation": False}
        never |= dict.fromkeys(
            ("tolflatfitness", "tolstagnation", "tolfacupx", "tolupsigma", "tolconditioncov"),
            np.inf,
        )
        options = {
            "popsize": settings.population,
            "CMA_diagonal": diagonal,
            "CMA_mirrors": 0,
            # Rescale coordinates when C is ill-conditioned, but never hide it in a new basis.
            "conditioncov_alleviate": [1e8, np.inf],
            "maxiter": np.inf,
            "randn": lambda *size: self.rng.standard_normal(size),
            "seed": np.nan,  # leaves NumPy's global state alone
            "verbose": -9,
        }
        es = cma.CMAEvolutionStrategy(settings.x0, settings.sigma_init, options | never)
        es.timer = cma.utilities.utils.ElapsedWCTime()
        # It draws coordinates to check from NumPy's global state.
        es.adapt_sigma.check_consistency = lambda es: None
        # What pycma makes at its first use, made now, so that a state always has it.
        es.adapt_sigma.initialize_base(es)
        es.sigma_vec *= np.ones(settings.num_params)
        es.mean_old = es.mean
        if diagonal:
            es.sm.standard_deviations = np.ones(settings.num_params)
        self.es = es
        groups = [
            (es, self.STRATEGY),
            (es.adapt_sigma, self.STEP_SIZE),
            (es.sm, self.DIAGONAL if diagonal else self.FULL),
            (es.sigma_vec, ("scaling",)),
        ]
        self._slots = {
            name: part for part, names in groups for name in names if hasattr(part, name)
        }

    @property
    def mean(self) -> np.ndarray:
        return self.es.mean.copy()

    @property
    def sigma(self) -> float:
        return float(self.es.stds.mean())

    def _sample(self) -> np.ndarray:
        return np.array(self.es.ask())

    def _learn(self, candidates: np.ndarray, fitness: np.ndarray) -> None:
        self.es.tell(list(candidates), list(-fitness))

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {name: np.array(getattr(part, name)) for name, part in self._slots.items()}
        probes = self.es.pop_injection_directions
        return arrays | {"probes": np.reshape(probes, (-1, self.settings.num_params))}

    def _load(self, arrays: dict[str, np.ndarray]) -> None:
        self._start()
        for name, part in self._slots.items():
            value = arrays[name]
            setattr(part, name, value if value.ndim else value.item())
        self.es.pop_injection_directions = [probe.copy() for probe in arrays["probes"]]
        self.es._updateBDfromSM(self.es.sm)

    def _set_mean(self, x: np.ndarray) -> None:
        self.es.mean = x


class GA(Optimizer):
    """A genetic algorithm: children of the best tenth by uniform crossover, plus noise.

    Parents are the elite of the last generation only: under noise, an elite that lived on would
    be the luckiest. `mean` is the mean of the elite, the centre of the next children; `sigma` is
    the std of the noise. `antithetic` does not change the sampling.
    """

    name = "ga"

    def __init__(self, settings: Settings):
        super().__init__(settings)
        self._parents = np.tile(settings.x0, (len(elite(np.zeros(settings.population))), 1))
        self._sigma = settings.sigma_init

    @property
    def mean(self) -> np.ndarray:
        return self._parents.mean(axis=0)

    @property
    def sigma(self) -> float:
        return self._sigma

    def _sample(self) -> np.ndarray:
        size = (self.settings.population, self.settings.num_params)
        first, second = self.rng.integers(len(self._parents), size=(2, size[0]))
        swap = self.rng.random(size) < CROSSOVER
        children = np.where(swap, self._parents[second], self._parents[first])
        return children + self._sigma * self.rng.standard_normal(size)

    def _learn(self, candidates: np.ndarray, fitness: np.ndarray) -> None:
        self._parents = candidates[elite(fitness)]
        if self._sigma > SIGMA_LIMIT:
            self._sigma *= self.settings.sigma_decay

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"parents": self._parents, "sigma": np.array(self._sigma)}

    def _load(self, arrays: dict[str, np.ndarray]) -> None:
        self._parents, self._sigma = arrays["parents"], float(arrays["sigma"])

    def _set_mean(self, x: np.ndarray) -> None:
        self._parents = np.tile(x, (len(self._parents), 1))


OPTIMIZERS: dict[str, type[Optimizer]] = {c.name: c for c in (CMA, OpenES, PEPG, SES, GA)}


def make_optimizer(
    name: str,
    num_params: int,
    *,
    population: int,
    sigma_init: float,
    sigma_decay: float,
    weight_decay: float,
    antithetic: bool,
    seed: int,
    x0: np.ndarray | None = None,
) -> Optimizer:
    """Make an optimiser at generation 0.

    Args:
        name: cma, openes, pepg, ses or ga. The other defaults are World Models' own.
        num_params: N, the length of a candidate.
        population: P, candidates in a generation, at least 4.
        sigma_init: standard deviation of the first candidates around x0.
        sigma_decay: factor on the stds a generation, until 0.02 (not for cma).
        weight_decay: fitness lost per mean squared parameter. (The original's cma added it.)
        antithetic: sample candidate i + P/2 as the mirror of candidate i (openes, pepg, ses).
        seed: of everything random, at least 0.
        x0: the first mean, (N,); zeros by default.

    Raises:
        ValueError: an unknown name, a value out of range, or antithetic pairs of an odd P.
    """
    if name not in OPTIMIZERS:
        nearest = difflib.get_close_matches(name, OPTIMIZERS, n=1, cutoff=0)[0]
        raise ValueError(f"no optimiser is called {name!r}; did you mean {nearest!r}?")
    start = np.zeros(num_params) if x0 is None else as_vector(x0, num_params)
    settings = Settings(
        num_params, population, sigma_init, sigma_decay, weight_decay, antithetic, seed, start
    )
    return OPTIMIZERS[name](settings)

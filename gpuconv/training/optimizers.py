"""Optimisers over flat arrays; the learning rate may change from step to step."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from numbers import Real
from typing import Any

import numpy as np

from .. import device as devices
from .. import ops
from ..errors import OptionError
from ..layers import Parameter
from ..shapes import integer, real
from .arena import Arena
from .early import Early
from .groups import Group, read
from .schedules import Schedule, check_schedule_state, load_schedule_state, schedule_state


def _within(value: Any, low: float, high: float = inf) -> bool:
    """Whether ``value`` is a number in [low, high)."""
    return not isinstance(value, bool) and isinstance(value, Real) and low <= float(value) < high


Parameters = Iterable[Parameter] | Iterable[Mapping[str, Any]]


class Optimizer:
    """Updates parameters in place from their gradients.

    ``parameters`` are those of ``net.parameters()``, or groups as torch.optim takes them: dicts of
    ``params`` and a rate of their own, ``lr``, or ``lr_scale``, a factor on the optimiser's, and
    ``weight_decay``.
    ``lr`` is the learning rate, or a schedule of ``schedules.py`` (a function of the step).
    ``clip_norm`` / ``clip_value`` bound the gradient's norm / elements before each step. Parameters
    without a gradient are left alone. ``last_lr`` is the rate of the last step, as PyTorch's
    ``get_last_lr``. Raises OptionError on bad options.
    """

    state_names: tuple[str, ...] = ()

    def __init__(
        self,
        parameters: Parameters,
        lr: "float | Schedule",
        *,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        if not callable(lr) and not _within(lr, 0):
            raise OptionError(f"optimizer: lr must be a number >= 0 or a schedule, got {lr!r}")
        for name, bound in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if bound is not None and not (_within(bound, 0) and bound > 0):
                raise OptionError(f"optimizer: {name} must be > 0, got {bound!r}")
        self.base_lr = lr
        self.clip_norm, self.clip_value = clip_norm, clip_value
        self.steps = 0
        self.groups = read(parameters)
        self._group_of = {id(p): n for n, g in enumerate(self.groups) for p in g.parameters}
        self.arena = Arena([p for group in self.groups for p in group.parameters])
        self.last_lr: float | None = None
        self._taken: list[Parameter] = []

    @property
    def lr(self) -> float:
        """The learning rate of the next step; raises OptionError unless it is a number >= 0."""
        return self.rate(self.steps)

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 0 on; raises OptionError unless it is a number >= 0."""
        rate = self.base_lr(step) if callable(self.base_lr) else self.base_lr
        return real(rate, f"optimizer: the learning rate of step {step}", 0.0)

    def step(self) -> None:
        """Update every parameter that has a gradient, once."""
        self.arena.refresh()
        self.last_lr = self.lr  # a schedule that is off is found before anything changes
        rates = [group.rate(self.last_lr, self.steps) for group in self.groups]
        self._clip()
        for part, group in self.arena.runs(self._group_of):
            self.update(part, rates[group], **self.groups[group].options)
        self.arena.touched(self._taken)
        self._taken = []
        self.steps += 1

    def early(self, parameters: Sequence[Parameter]) -> tuple[Early, ...]:
        """What can take the steps of these parameters within backward, the same as long as it can.

        An optimiser that needs all gradients first, or that cannot do so, has none.
        """
        return ()

    @contextmanager
    def taking(self, early: Sequence[Early]) -> Iterator[None]:
        """Inside, one backward takes these steps; ``step`` takes the others, and counts them all.

        Their gradients are not kept. Raises OptionError, before that, for a bad learning rate.
        """
        lr = self.lr if early else 0.0
        for one in early:
            one.rate[...] = self._group(one.parameter).rate(lr, self.steps)
        try:
            for one in early:
                one.parameter.early = one
            yield
        finally:
            for one in early:
                one.parameter.early = None
        self._taken = [one.parameter for one in early if one.parameter.grad is None]

    def _group(self, parameter: Parameter) -> Group:
        return self.groups[self._group_of[id(parameter)]]

    def update(self, part: slice, lr: float, **more: float) -> None:
        """Update one stretch of the flat arrays at a learning rate.

        ``more`` is what the group has of its own: ``weight_decay``.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def _clip(self) -> None:
        """Bound the gradient of all parameters together."""
        if self.clip_value is None and self.clip_norm is None:
            return
        self.arena.clear_missing()
        if self.clip_value is not None:
            ops.clip_grad_value(self.arena.gradient, self._scalar(self.clip_value))
        if self.clip_norm is not None:
            ops.clip_grad_norm(self.arena.gradient, self._scalar(self.clip_norm))

    def _scalar(self, value: float, dtype: str | None = None) -> Any:
        array = np.asarray(value, dtype or self.arena.dtype)
        return devices.to_device(array, self.arena.device)

    def zero_grad(self) -> None:
        """Forget every gradient."""
        for parameter in self.arena.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of the flat state arrays, the number of steps taken, and the schedule's state."""
        state = {name: devices.to_numpy(a).copy() for name, a in self.arena.states.items()}
        schedule = {f"schedule.{name}": a for name, a in schedule_state(self.base_lr).items()}
        return {**state, **schedule, "steps": np.asarray(self.steps, np.int64)}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Go on from ``state_dict``; raises OptionError, changing nothing, if it is another's."""
        if not isinstance(state, Mapping):
            raise OptionError(f"optimizer: expected what state_dict gave, got {state!r}")
        schedule = [f"schedule.{name}" for name in schedule_state(self.base_lr)]
        needed, known = {"steps", *schedule}, ("steps", *schedule, *self.state_names)
        if not needed <= set(state) or not set(state) <= set(known):
            came = ", ".join(sorted(map(str, state))) or "nothing"
            raise OptionError(
                f"optimizer: got a state of {came}; expected {', '.join(known)} of "
                f"{type(self).__name__}"
            )
        steps = integer(state["steps"], "optimizer: steps", 0)
        learned = {name.removeprefix("schedule."): state[name] for name in schedule}
        check_schedule_state(learned)
        self.arena.refresh()
        self.arena.load_states({name: state[name] for name in self.state_names if name in state})
        load_schedule_state(self.base_lr, learned)
        self.steps = steps


class SGD(Optimizer):
    """Stochastic gradient descent, as torch.optim.SGD.

    ``form`` "torch" keeps the learning rate outside the velocity; "paper" inside, as Krizhevsky,
    Sutskever and Hinton (2012), section 5. Weight decay is inside the velocity in both.
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: "float | Schedule",
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        form: str = "torch",
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        if not _within(momentum, 0, 1):
            raise OptionError(f"SGD: momentum must be in [0, 1), got {momentum!r}")
        if not _within(weight_decay, 0):
            raise OptionError(f"SGD: weight_decay must be >= 0, got {weight_decay!r}")
        if form not in ("torch", "paper"):
            raise OptionError(f"SGD: unknown form {form!r}; expected 'torch' or 'paper'")
        if nesterov and not momentum:
            raise OptionError("SGD: nesterov needs momentum > 0")
        super().__init__(parameters, lr, clip_norm=clip_norm, clip_value=clip_value)
        self.momentum = momentum
        self.state_names = ("velocity",) if momentum else ()
        self.options: dict[str, Any] = {
            "momentum": momentum,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "form": form,
        }
        self._early: tuple[Any, dict[int, Early]] = None, {}

    def early(self, parameters: Sequence[Parameter]) -> tuple[Early, ...]:
        """Those of float32 on the CPU, unless gradients are clipped."""
        arena = self.arena
        if self.clip_norm or self.clip_value or arena.device != devices.CPU:
            return ()
        velocity = arena.state("velocity") if self.momentum else None
        known, made = self._early
        if known is None or known[0] is not arena.value or known[1] is not velocity:
            made = self._made_early(velocity) if arena.dtype == "float32" else {}
            self._early = (arena.value, velocity), made
        return tuple(made[id(p)] for p in parameters if id(p) in made and p.trainable)

    def _made_early(self, velocity: Any) -> dict[int, Early]:
        def one(parameter: Parameter, part: slice) -> Early:
            moving = None if velocity is None else velocity[part].reshape(parameter.shape)
            return Early(parameter, moving, self.options | self._group(parameter).options)

        return {id(p): one(p, part) for p, part in self.arena.parts() if len(p.shape) == 2}

    def update(self, part: slice, lr: float, **more: float) -> None:
        """One sgd launch."""
        arena = self.arena
        velocity = arena.state("velocity")[part] if self.momentum else None
        rate = self._scalar(lr)
        ops.sgd(arena.value[part], arena.gradient[part], velocity, rate, **self.options | more)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1), as torch.optim.Adam.

    With ``decoupled`` the weight decay is AdamW's (Loshchilov and Hutter 2019, algorithm 2).
    """

    state_names = ("m", "v")

    def __init__(
        self,
        parameters: Parameters,
        lr: "float | Schedule" = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        decoupled: bool = False,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        pair = betas if isinstance(betas, Sequence) and len(betas) == 2 else (None, None)
        if not all(_within(beta, 0, 1) for beta in pair):
            raise OptionError(f"Adam: betas must be two numbers in [0, 1), got {betas!r}")
        if not (_within(eps, 0) and eps > 0 and _within(weight_decay, 0)):
            raise OptionError(
                f"Adam: expected eps > 0 and weight_decay >= 0, got {eps!r} and {weight_decay!r}"
            )
        super().__init__(parameters, lr, clip_norm=clip_norm, clip_value=clip_value)
        self.options: dict[str, Any] = {
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled": decoupled,
        }

    def update(self, part: slice, lr: float, **more: float) -> None:
        """One adam launch."""
        arena = self.arena
        m, v = arena.state("m")[part], arena.state("v")[part]
        rate, step = self._scalar(lr), self._scalar(self.steps + 1, "int64")
        options = self.options | more
        ops.adam(arena.value[part], arena.gradient[part], m, v, rate, step, **options)

"""One training as the command line shows and records it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from time import perf_counter
from types import FrameType
from typing import Any

from rich.progress import Progress, TaskID

from .. import choices
from .. import device as devices
from ..data.dataset import Dataset
from ..errors import NonFiniteLossError
from ..limits import Limits, limits
from ..plans import Plan
from ..training.checkpoint import Run
from ..training.evaluate import Evaluation, evaluate
from ..training.health import Watch
from ..training.trainer import State, Trainer
from ._app import out
from ._progress import bar, images_bar


class Session:
    """One training as the command line shows and records it."""

    def __init__(
        self, run: Run, trainer: Trainer, test_set: Dataset, settings: dict[str, Any]
    ) -> None:
        self.run, self.trainer, self.test_set, self.settings = run, trainer, test_set, settings
        self.interrupted = False
        self.progress: Progress = bar()
        self.task: TaskID | None = None
        self.seconds, self.per_epoch = run.info.get("seconds", 0.0), 0
        self.limits: Limits
        self.device: devices.Device
        self.taken: Plan
        trainer.callbacks += [self.tell, Watch(lambda found: out.print(f"warning: {found}"))]

    @contextmanager
    def planned(self, plan: Plan) -> Iterator[None]:
        """Choose kernels by the plan, but those that the run took before as it took them then."""
        self.device = devices.get(self.run.info["device"])
        self.taken = self.run.plan().adopted(self.device)
        known = plan.merged(self.taken) if self.taken.entries(self.device) else plan.copy()
        with limits(plan=known) as self.limits:
            yield

    def _keep_plan(self) -> None:
        taken = choices.chosen(self.limits, self.device)
        self.run.keep_plan(self.taken.having(self.device, taken))

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Whatever ends the run, the net is saved and run.json says how it ended."""
        try:
            yield
        except BaseException as error:
            stopped = isinstance(error, KeyboardInterrupt)
            if isinstance(error, NonFiniteLossError):
                for step, loss in error.finite:
                    self.run.log({"step": step, "epoch": error.epoch, "loss": loss})
            self.run.save(self.trainer.net)
            self.run.write(status="interrupted" if stopped else "failed", error=str(error))
            raise

    def fit(self, batches: Any) -> None:
        """Train from the step that the optimiser is at, and save the weights."""
        epochs, self.per_epoch = self.settings["epochs"], len(batches)
        total, taken = epochs * self.per_epoch, self.trainer.step.steps
        total = min(total, self.settings["max_steps"] or total)
        self.trainer.epochs, skip = divmod(taken, self.per_epoch)
        with self.progress, _interruptible(self):
            self.task = self.progress.add_task("train", total=total, completed=taken, figures="")
            start = perf_counter()
            if taken < total:
                left = {"epochs": epochs - self.trainer.epochs, "max_steps": total - taken}
                self.trainer.fit(batches, **left, skip=skip)
            self.seconds += perf_counter() - start
        self.run.save(self.trainer.net)

    def tell(self, state: State) -> None:
        """Hear of steps and epochs: log them, move the bar, print a line per epoch."""
        if state.event == "step":
            self._log(state)
            figures = (
                f"epoch {state.epoch}  loss {state.loss:.3f}  accuracy {state.accuracy:.3f}  "
                f"waiting for data {state.waiting:.0%}  {state.images_per_s:,.0f} images/s"
            )
            if self.task is not None:
                self.progress.update(self.task, completed=state.step, figures=figures)
            return
        line = (
            f"epoch {state.epoch:3d}  step {state.step:6d}  loss {state.loss:.4f}  "
            f"accuracy {state.accuracy:.4f}  lr {state.lr:.4f}  waiting {state.waiting:.0%}  "
            f"{state.images_per_s:,.0f} images/s"
        )
        every, whole = self.settings["eval_every"], state.step % self.per_epoch == 0
        if every and state.epoch % every == 0 and (whole or not self.interrupted):
            found = self._measure()
            record = {"test_loss": found.loss, "test_accuracy": found.accuracy}
            self.run.log({"step": state.step, "epoch": state.epoch, **record})
            line += f"  test accuracy {found.accuracy:.4f}"
        self._keep_plan()
        self.run.checkpoint(self.trainer.net, self.trainer.optimizer)
        out.print(line)

    def _log(self, state: State) -> None:
        first = state.step - len(state.losses) + 1
        for step, loss in enumerate(state.losses, first):
            lr = self.trainer.optimizer.rate(step - 1)
            self.run.log({"step": step, "epoch": state.epoch, "loss": loss, "lr": lr})

    def _measure(self, progress: Callable[[int], None] | None = None) -> Evaluation:
        """Test figures; a loss that is not finite means that the last steps broke the net."""
        found = evaluate(self.trainer.net, self.test_set, progress=progress)
        if not isfinite(found.loss):
            steps = self.trainer.step.steps
            self.trainer.give_up(f"the test loss is {found.loss} after step {steps}")
        return found

    def finish(self) -> None:
        """Measure on the test images, write the figures, print where they are."""
        status = "interrupted" if self.interrupted else "done"
        with images_bar(len(self.test_set), "test") as progress:
            found = self._measure(progress)
        self._keep_plan()
        final = {
            "steps": self.trainer.step.steps,
            "test_loss": found.loss,
            "test_accuracy": found.accuracy,
            "test_images": found.images,
        }
        self.run.write(status=status, seconds=round(self.seconds, 2), final=final)
        if status == "done":
            self.run.drop_checkpoint()
        out.print(f"run: {self.run.folder}")
        out.print(f"test accuracy {found.accuracy:.4f}")


@contextmanager
def _interruptible(session: Session) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) ends training after its step; the second ends at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        session.interrupted = session.trainer.stop = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        out.print("stopping after this step; Ctrl-C again to stop at once")

    before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

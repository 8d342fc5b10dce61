"""What is asked for on the command line is what the library does with the same settings."""

import pytest
from command_line import succeed

import gpuconv as gcv
from gpuconv.data import random_flip, random_shift
from gpuconv.training.checkpoint import WEIGHTS
from gpuconv.training.schedules import constant, cosine, warmup

STEPS = 20


def by_hand(rate, *, clip_norm, augment):
    """The weights that the library gives; every setting is another than its default."""
    net = gcv.models.create("lenet5", dropout=0.3, seed=5)
    optimizer = gcv.SGD(net.parameters(), rate, 0.8, 0.01, clip_norm=clip_norm)
    teacher = gcv.Trainer(net, optimizer, seed=5)
    teacher.fit(gcv.data.mnist("train"), 9, 8, max_steps=STEPS, augment=augment)
    return {name: value.tobytes() for name, value in net.state_dict().items()}


@pytest.mark.parametrize(
    ("options", "rate", "settings"),
    [
        ("", warmup(cosine(0.02, STEPS), 2), {"clip_norm": None, "augment": [random_shift(2)]}),
        (
            "--schedule constant --clip-norm 0.5 --shift 1 --flip",
            constant(0.02),
            {"clip_norm": 0.5, "augment": [random_shift(1), random_flip()]},
        ),
        (
            "--schedule constant --shift 0 --read-every 3",
            constant(0.02),
            {"clip_norm": None, "augment": None},
        ),
    ],
)
def test_every_option_reaches_the_training(tmp_path, options, rate, settings):
    given = "lenet5 --dropout 0.3 --seed 5 --lr 0.02 --momentum 0.8 --weight-decay 0.01"
    size = f"--batch-size 8 --epochs 9 --max-steps {STEPS} --out"
    succeed("train", *given.split(), *options.split(), *size.split(), tmp_path / "run")
    found = gcv.load_weights(tmp_path / "run" / WEIGHTS)
    assert {n: a.tobytes() for n, a in found.items()} == by_hand(rate, **settings)

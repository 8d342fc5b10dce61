"""A small residual net on the digits: graphs that nest, batch normalisation, a callback.

Run it with ``python examples/residual_digits.py``; a pass over the digits takes some seconds.
"""

import gpuconv as gcv
from gpuconv.layers import AdaptiveAvgPool2d, Add, BatchNorm2d, Conv2d, Flatten, Linear, ReLU


def block(c_in: int, c_out: int, stride: int = 1) -> gcv.Graph:
    """Two 3x3 convolutions and a shortcut (He et al. 2016, figure 2)."""
    g = gcv.Graph()
    x = g.input("x")
    h = g.apply(Conv2d(c_in, c_out, 3, stride, padding=1, bias=False), x, name="conv1")
    h = g.apply(ReLU(), g.apply(BatchNorm2d(c_out), h, name="bn1"))
    h = g.apply(Conv2d(c_out, c_out, 3, padding=1, bias=False), h, name="conv2")
    h = g.apply(BatchNorm2d(c_out), h, name="bn2")
    if stride != 1 or c_in != c_out:
        x = g.apply(Conv2d(c_in, c_out, 1, stride), x, name="shortcut")
    g.apply(ReLU(), g.apply(Add(), h, x))
    return g


def tell(state) -> None:
    """A callback is a plain function; it hears of every tenth step and of every epoch."""
    if state.event == "epoch":
        print(f"epoch {state.epoch}: loss {state.loss:.3f}, {state.images_per_s:.0f} images/s")


def main(epochs: int = 2) -> float:
    """Train and measure; returns the accuracy on the validation digits."""
    net = gcv.Sequential(
        Conv2d(1, 8, 3, stride=2, padding=1),
        ReLU(),
        block(8, 8),
        block(8, 16, stride=2),
        AdaptiveAvgPool2d(1),
        Flatten(),
        Linear(16, 10),
    )
    print(net.summary((1, 28, 28)))
    digits = gcv.data.mnist("fit")
    steps = epochs * len(digits) // 64
    rate = gcv.schedules.cosine(0.1, steps)  # a falling rate lets the running statistics settle
    optimizer = gcv.SGD(net.parameters(), rate, momentum=0.9, nesterov=True)
    trainer = gcv.Trainer(net, optimizer, callbacks=[tell])
    trainer.fit(digits, epochs, batch_size=64)
    found = trainer.evaluate(gcv.data.mnist("validation"))
    print(f"validation accuracy {found.accuracy:.4f}")
    return found.accuracy


if __name__ == "__main__":
    main()

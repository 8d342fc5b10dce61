"""Gradients of a layer or graph against central differences in float64."""

import numpy as np

from gpuconv.random import Stream

STEP = 1e-5


def tuple_of(value):
    return value if isinstance(value, tuple) else (value,)


def random_dy(y, seed=77):
    """One normal gradient per output, in the form of ``y``."""
    made = tuple(Stream(seed, i).normal(v.shape).astype(v.dtype) for i, v in enumerate(tuple_of(y)))
    return made if isinstance(y, tuple) else made[0]


def gradients(layer, xs, dy=None, need_dx=True, **mode):
    """y, dy, dxs (a tuple), and the parameters' gradients by name, from one backward pass."""
    layer.zero_grad()
    y, saved = layer.forward(*xs, keep=True, **mode)
    dy = random_dy(y) if dy is None else dy
    dxs = tuple_of(layer.backward(dy, saved, need_dx))
    return y, dy, dxs, {name: p.grad for name, p in layer.named_parameters()}


def slopes(function, array):
    """Central differences of a number with respect to every element of ``array``, in place."""
    found = np.empty_like(array)
    for at in np.ndindex(array.shape):
        before, values = array[at], []
        for step in (STEP, -STEP):
            array[at] = before + step
            values.append(function())
        array[at] = before
        found[at] = (values[0] - values[1]) / (2 * STEP)
    return found


def close(name, got, want):
    error, bound = np.abs(got - want).max(initial=0), 1e-7 * (1 + np.abs(want).max(initial=0))
    assert error <= bound, f"{name}: off by {error:.3g}, allowed {bound:.3g}"


def check(layer, xs, constant=(), **mode):
    """Every gradient of ``layer`` at float64 inputs; those numbered in ``constant`` get None."""
    xs = [np.array(x) for x in xs]
    mode = {"update": False, **mode}
    _, dy, dxs, grads = gradients(layer, xs, **mode)
    weights = tuple_of(dy)

    def total():
        ys = tuple_of(layer.forward(*xs, keep=False, **mode)[0])
        return sum(float((y * weight).sum()) for y, weight in zip(ys, weights, strict=True))

    assert len(dxs) == len(xs)
    for number, (x, dx) in enumerate(zip(xs, dxs, strict=True)):
        if number in constant:
            assert dx is None, f"input {number} has no gradient"
        else:
            close(f"input {number}", dx, slopes(total, x))
    for name, parameter in layer.named_parameters():
        close(name, grads[name], slopes(total, parameter.value))

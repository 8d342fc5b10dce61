"""Formulas of float32 vectors: a Python function of ``Value`` writes LLVM's code for them.

    def softplus(x):
        return where(x > 0, x, 0.0) + log1p(exp(-abs(x)))

Every operator rounds once, as NumPy does it in float32; only ``fma`` fuses. Elementary functions
are within three units in the last place, go through denormal results, and hand NaN on. Their
range reductions and exp's polynomial are those of Moshier's Cephes library (expf.c, logf.c); the
other two are the series of expm1 and of 2 artanh(s) = log((1 + s) / (1 - s)).
"""

from typing import Any

Number = float | int
LOG2E, LN2_HIGH, LN2_LOW = 1.44269504088896341, 0.693359375, -2.12194440e-4
ROUND = 1.5 * 2.0**23  # added and taken away again: what is left is a whole number
ROUND_BITS = 0x4B400000
EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5)
# a float32's exponent and the bits behind its point
BIAS, POINT = 127, 23


class Value:
    """A vector of float32, of 32-bit integers, or of truths (from a comparison)."""

    def __init__(self, code: Any, raw: Any) -> None:
        self.code, self.raw = code, raw

    def _build(self, other: Any, float_word: str, int_word: str) -> "Value":
        word = float_word if self.is_float else int_word
        made = getattr(self.code.build, word)(self.raw, self.like(other).raw)
        return Value(self.code, made)

    @property
    def is_float(self) -> bool:
        """Whether its lanes are float32."""
        return str(self.raw.type.element) == "float"

    def like(self, other: Any) -> "Value":
        """``other``, a number of Python or a single lane, in every lane of a vector like this."""
        if not isinstance(other, Value):
            return self.code.constant(other, self.raw.type)
        count = self.raw.type.count
        return other if other.raw.type.count == count else self.code.widened(other, count)

    def __add__(self, other: Any) -> "Value":
        return self._build(other, "fadd", "add")

    def __sub__(self, other: Any) -> "Value":
        return self._build(other, "fsub", "sub")

    def __mul__(self, other: Any) -> "Value":
        return self._build(other, "fmul", "mul")

    def __truediv__(self, other: Any) -> "Value":
        return self._build(other, "fdiv", "udiv")

    def __radd__(self, other: Number) -> "Value":
        return self.like(other) + self

    def __rsub__(self, other: Number) -> "Value":
        return self.like(other) - self

    def __rmul__(self, other: Number) -> "Value":
        return self.like(other) * self

    def __rtruediv__(self, other: Number) -> "Value":
        return self.like(other) / self

    def __neg__(self) -> "Value":
        return Value(self.code, self.code.build.fneg(self.raw))

    def __abs__(self) -> "Value":
        return (self.bits() & 0x7FFFFFFF).floats()

    def __and__(self, other: Any) -> "Value":
        return self._build(other, "", "and_")

    def __or__(self, other: Any) -> "Value":
        return self._build(other, "", "or_")

    def __xor__(self, other: Any) -> "Value":
        return self._build(other, "", "xor")

    def __lshift__(self, by: int) -> "Value":
        return self._build(by, "", "shl")

    def __rshift__(self, by: int) -> "Value":
        return self._build(by, "", "lshr")

    def _compare(self, sign: str, other: Any) -> "Value":
        word = "fcmp_ordered" if self.is_float else "icmp_unsigned"
        made = getattr(self.code.build, word)(sign, self.raw, self.like(other).raw)
        return Value(self.code, made)

    def __le__(self, other: Any) -> "Value":
        return self._compare("<=", other)

    def __lt__(self, other: Any) -> "Value":
        return self._compare("<", other)

    def __ge__(self, other: Any) -> "Value":
        return self._compare(">=", other)

    def __gt__(self, other: Any) -> "Value":
        return self._compare(">", other)

    def bits(self) -> "Value":
        """The same bits as integers."""
        return self.code.cast("bitcast", self, "int")

    def floats(self) -> "Value":
        """The same bits as float32."""
        return self.code.cast("bitcast", self, "float")

    def real(self) -> "Value":
        """Signed integers as float32, rounded to nearest."""
        return self.code.cast("sitofp", self, "float")


def where(truth: Value, yes: Any, no: Any) -> Value:
    """``yes`` in the lanes where it is true, else ``no``; at least one of the two is a vector."""
    known = yes if isinstance(yes, Value) else no
    build = truth.code.build
    return Value(truth.code, build.select(truth.raw, known.like(yes).raw, known.like(no).raw))


def fma(a: Value, b: Any, c: Any) -> Value:
    """a * b + c, rounded once where the CPU can."""
    return Value(a.code, a.code.fma(a.raw, a.like(b).raw, a.like(c).raw))


def sqrt(x: Value) -> Value:
    """The square root, correctly rounded; NaN below 0."""
    return x.code.intrinsic("sqrt", x)


def series(x: Value, coefficients: tuple[float, ...]) -> Value:
    """Horner's scheme, the highest power first."""
    total = x.like(coefficients[0])
    for value in coefficients[1:]:
        total = fma(total, x, value)
    return total


def _power(n: Value) -> Value:
    """2^n for integers n from -126 to 127."""
    return ((n + BIAS) << POINT).floats()


def _reduced(x: Value) -> tuple[Value, Value]:
    """n and e^r - 1 with x = n log 2 + r, for |x| below 2^21; NaN stays in the second.

    n is read from the bits of a sum that has no others behind its point.
    """
    shifted = x * LOG2E + ROUND
    n = shifted - ROUND
    r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, x))
    return shifted.bits() - ROUND_BITS, fma(series(r, EXP), r * r, r)


def exp(x: Value) -> Value:
    """e^x; 0 and infinity beyond the range, through the denormal numbers."""
    n, less = _reduced(where(x < -105.0, -105.0, where(x > 89.0, 89.0, x)))
    half = ((n + 256) >> 1) - 128  # in two steps, as 2^n may not be a normal number
    return (less + 1.0) * _power(half) * _power(n - half)


def decay(x: Value) -> Value:
    """e^x for x <= 0 (or NaN), in fewer steps than ``exp``; through the denormal numbers."""
    n, less = _reduced(where(x < -105.0, -105.0, x))
    power = _power(n + 64)  # 2^64 too large: a normal number
    return fma(less, power, power) * 2.0**-64


def expm1(x: Value) -> Value:
    """e^x - 1 for x <= 0, without cancellation; above 0 up to 88."""
    is_small = abs(x) < 2.0**-26
    n, less = _reduced(where(x < -30.0, -30.0, where(x > 88.0, 88.0, where(is_small, 1.0, x))))
    power = _power(n)
    return where(is_small, x, fma(less, power, power - 1.0))


def tanh(x: Value) -> Value:
    """The hyperbolic tangent, odd to the last bit; x itself where x^3 / 3 is lost beside it."""
    is_small = abs(x) < 2.0**-13
    less = expm1(-2.0 * abs(where(is_small, 1.0, x)))  # denormal numbers would slow this down
    size = where(is_small, abs(x), -less / (less + 2.0))
    return ((size.bits() & 0x7FFFFFFF) | (x.bits() & -0x80000000)).floats()


def sigmoid(x: Value) -> Value:
    """1 / (1 + e^-x), with no exponential above 1."""
    power = decay(-abs(x))
    return where(x < 0, power, 1.0) / (power + 1.0)


ARTANH = (2 / 17, 2 / 15, 2 / 13, 2 / 11, 2 / 9, 2 / 7, 2 / 5, 2 / 3)


def log1p(x: Value) -> Value:
    """log(1 + x) for x from 0 to 1."""
    s = x / (x + 2.0)
    square = s * s
    return fma(series(square, ARTANH) * square, s, s + s)


def log(x: Value) -> Value:
    """The logarithm of a normal number >= 1; NaN and infinity are handed on."""
    scaled = x.bits() + (0x3F800000 - 0x3F3504F3)  # mantissas from sqrt(1/2) to sqrt(2)
    n = ((scaled >> POINT) - BIAS).real()
    m = ((scaled & 0x7FFFFF) + 0x3F3504F3).floats()
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    small = fma(series(square, ARTANH) * square, s, s + s)
    value = fma(n, LN2_HIGH, fma(n, LN2_LOW, small))
    return where(x < float("inf"), value, x)

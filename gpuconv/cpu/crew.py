"""Machine code of the thread pool: how threads share the indices of one job.

A job is a function, its fields and a count. Its indices are dealt in as many parts as there are
threads, in order, so that a thread finds in its own cache what it wrote in the job before; whoever
is through with his part takes from those of the others. A word for each part, its ticket, holds the
job's number and the next index, and an index is taken by exchanging that word, so that nobody can
take one of a job whose function he did not read: tickets are closed (all indices taken) while a job
is written, as a sequence lock is (Boehm, "Can seqlocks get along with programming language memory
models?", 2012).
"""

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

I64, VOID = ir.IntType(64), ir.VoidType()
TASK = ir.FunctionType(VOID, [I64, I64])
# Words of the shared state, in lines of their own what is written at other times; behind them two
# lines for each thread: its part's ticket, and whether it sleeps. Thread 0 is the one that asks.
JOB, FUNCTION, FIELDS, COUNT, PARTS, STOP, DONE, WOKEN, TICKET, SLEEPING = *range(6), 8, 9, 16, 24
LINE, THREAD = 8, 16  # words of a cache line, and of a thread
WORDS = 4  # of a job in a list of them
INDEX = (1 << 32) - 1  # bits of the ticket that hold the index
X86 = ("x86_64", "AMD64")


def _int(value: int) -> Any:
    return ir.Constant(I64, value)


ZERO = _int(0)


class _Writer:
    """An LLVM function ``int64 name(int64...)`` under construction."""

    def __init__(self, name: str, parameters: int) -> None:
        self.module = ir.Module(name)
        kind = ir.FunctionType(I64, [I64] * parameters)
        self.function = ir.Function(self.module, kind, name)
        self.given = self.function.args
        self.build = ir.IRBuilder(self.function.append_basic_block("entry"))

    def word(self, place: Any) -> Any:
        """The address of a word of the state, which is the first parameter."""
        place = _int(place) if isinstance(place, int) else place
        at = self.build.add(self.given[0], self.build.mul(place, _int(8)))
        return self.build.inttoptr(at, I64.as_pointer())

    def read(self, place: Any, order: str = "seq_cst") -> Any:
        """A word, as another thread left it."""
        return self.build.load_atomic(self.word(place), order, 8)

    def write(self, place: Any, value: Any) -> None:
        """Set a word for all threads to see."""
        value = _int(value) if isinstance(value, int) else value
        self.build.store_atomic(value, self.word(place), "seq_cst", 8)

    def swap(self, place: Any, value: int) -> Any:
        """Set a word; what it was."""
        return self.build.atomic_rmw("xchg", self.word(place), _int(value), "seq_cst")

    def variable(self) -> Any:
        """A place on the stack, taken on entry: in a loop, each turn would take more of it."""
        with self.build.goto_entry_block():
            return self.build.alloca(I64)

    def equal(self, a: Any, b: Any) -> Any:
        return self.build.icmp_signed("==", a, b)

    def own(self, word: int, thread: Any) -> Any:
        """The place of a thread's own word."""
        return self.build.add(_int(word), self.build.mul(thread, _int(THREAD)))

    def first(self, part: Any, count: Any, parts: Any) -> Any:
        """The first index of a part; that of the part behind the last one is ``count``."""
        return self.build.udiv(self.build.mul(count, part), parts)

    def leave_if(self, condition: Any, result: int) -> None:
        """Return ``result`` where the condition holds."""
        with self.build.if_then(condition):
            self.build.ret(_int(result))

    @contextmanager
    def forever(self) -> Iterator[Any]:
        """A loop; gives the block that lies behind it."""
        body, after = (self.function.append_basic_block(n) for n in ("body", "after"))
        self.build.branch(body)
        self.build.position_at_end(body)
        yield after
        self.build.branch(body)
        self.build.position_at_end(after)

    def break_if(self, condition: Any, after: Any) -> None:
        """Leave the loop where the condition holds."""
        on = self.function.append_basic_block("on")
        self.build.cbranch(condition, after, on)
        self.build.position_at_end(on)

    def spin(self, spins: Any, until: Callable[[], Any]) -> None:
        """Wait for a condition, but not for longer than so many looks at it."""
        left = self.variable()
        self.build.store(spins, left)
        with self.forever() as after:
            self.break_if(until(), after)
            rest = self.build.sub(self.build.load(left), _int(1))
            self.build.store(rest, left)
            self.break_if(self.build.icmp_signed("<=", rest, ZERO), after)
            self._pause()

    def _pause(self) -> None:
        """Tell the CPU that this thread waits, where there is a word for it."""
        if platform.machine() in X86:
            kind = ir.FunctionType(VOID, [])
            name = "llvm.x86.sse2.pause"
            known = self.module.globals.get(name) or ir.Function(self.module, kind, name)
            self.build.call(known, [])

    def call(self, function: Any, fields: Any, index: Any) -> None:
        self.build.call(self.build.inttoptr(function, TASK.as_pointer()), [fields, index])

    def ask(self, part: Any, *given: Any) -> Any:
        """Call the part at an address."""
        kind = ir.FunctionType(I64, [I64] * len(given))
        return self.build.call(self.build.inttoptr(part, kind.as_pointer()), given)

    @contextmanager
    def each(self, count: Any, first: Any = ZERO) -> Iterator[Any]:
        """A loop from ``first`` to below ``count``; gives the number."""
        place = self.variable()
        self.build.store(first, place)
        with self.forever() as after:
            number = self.build.load(place)
            self.break_if(self.build.icmp_signed(">=", number, count), after)
            yield number
            self.build.store(self.build.add(number, _int(1)), place)

    def drain(self, me: Any) -> None:
        """Take indices and do them until all are taken, those of the own part at first."""
        parts = self.read(PARTS)
        with self.each(parts) as turn:
            self._drain(self.build.urem(self.build.add(me, turn), parts))

    def _drain(self, part: Any) -> None:
        behind, ticket = self.build.add(part, _int(1)), self.own(TICKET, part)
        with self.forever() as after:
            now = self.read(ticket)
            index = self.build.and_(now, _int(INDEX))
            last = self.first(behind, self.read(COUNT), self.read(PARTS))
            self.break_if(self.build.icmp_signed(">=", index, last), after)
            function, fields = self.read(FUNCTION), self.read(FIELDS)
            following = self.build.add(now, _int(1))
            order = ("seq_cst", "seq_cst")
            taken = self.build.cmpxchg(self.word(ticket), now, following, *order)
            with self.build.if_then(self.build.extract_value(taken, 1)):
                self.call(function, fields, index)
                self.build.atomic_rmw("add", self.word(DONE), _int(1), "seq_cst")


@dataclass(frozen=True)
class Part:
    """One of the functions, to be built as tiles are."""

    name: str
    parameters: int
    write: Callable[[_Writer], None]

    def text(self, fused: bool) -> str:
        """The function in LLVM's language."""
        writer = _Writer(self.name, self.parameters)
        self.write(writer)
        return str(writer.module)


def _post(w: _Writer) -> None:
    """post(state, function, fields, count, others): a new job; which sleepers must be woken."""
    b, (_, function, fields, count, others) = w.build, w.given
    woken = w.variable()
    with w.each(w.read(PARTS)) as part:
        w.write(w.own(TICKET, part), INDEX)
    parts, number = b.add(others, _int(1)), b.add(w.read(JOB), _int(1))
    for place, value in ((FUNCTION, function), (FIELDS, fields), (COUNT, count), (DONE, ZERO)):
        w.write(place, value)
    w.write(PARTS, parts)
    high = b.shl(number, _int(32))
    with w.each(parts) as part:
        w.write(w.own(TICKET, part), b.or_(high, w.first(part, count, parts)))
    w.write(JOB, number)
    b.store(ZERO, woken)
    with w.each(others) as this:
        slept = w.swap(w.own(SLEEPING, b.add(this, _int(1))), 0)
        b.store(b.or_(b.load(woken), b.shl(slept, this)), woken)
    b.ret(b.load(woken))


def _lead(w: _Writer) -> None:
    """lead(state, spins): work on the job; 1 when all of it is done, 0 when the wait was long."""
    w.drain(ZERO)
    w.spin(w.given[1], lambda: w.equal(w.read(DONE), w.read(COUNT)))
    w.build.ret(w.build.zext(w.equal(w.read(DONE), w.read(COUNT)), I64))


def _serve(w: _Writer) -> None:
    """serve(state, me, spins): work on jobs until none came for a while, or it is to stop."""
    b, (_, me, spins) = w.build, w.given
    own = w.own(SLEEPING, me)
    seen = w.variable()
    b.store(ZERO, seen)

    def wanted() -> Any:
        is_new = b.icmp_signed("!=", w.read(JOB), b.load(seen))
        return b.and_(is_new, b.icmp_signed("<", me, w.read(PARTS)))

    def ends() -> Any:
        return b.icmp_signed("!=", w.read(STOP), ZERO)

    with w.forever():
        w.leave_if(ends(), 1)
        job = w.read(JOB)
        with b.if_then(wanted()):
            w.drain(me)
            b.store(job, seen)
        w.spin(spins, lambda: b.or_(wanted(), ends()))
        with b.if_then(b.not_(b.or_(wanted(), ends()))):
            w.write(own, 1)
            w.leave_if(b.not_(wanted()), 0)
            w.leave_if(w.equal(w.swap(own, 0), ZERO), 0)  # woken meanwhile: it must take that
    b.unreachable()


def _alone(w: _Writer) -> None:
    """alone(function, fields, count): every index, one after the other, on this thread."""
    function, fields, count = w.given
    with w.each(count) as index:
        w.call(function, fields, index)
    w.build.ret(ZERO)


def _replay(w: _Writer) -> None:
    """replay(state, jobs, first, count, post, lead, alone, others, spins): jobs in their order.

    A job is a function, its fields, its count, and how many threads may help with it. Returns
    ``count``, or the number of a job that was posted and that the caller must finish, after waking
    the threads that WOKEN names.
    """
    b, (state, jobs, first, count, post, lead, alone, others, spins) = w.build, w.given
    with w.each(count, first) as this:
        job = b.inttoptr(b.add(jobs, b.mul(this, _int(8 * WORDS))), I64.as_pointer())
        function, fields, size, most = (b.load(b.gep(job, [_int(n)])) for n in range(WORDS))
        helpers = b.sub(size, _int(1))
        for limit in (most, others):
            helpers = b.select(b.icmp_signed("<", helpers, limit), helpers, limit)
        with b.if_else(b.icmp_signed("<", helpers, _int(1))) as (few, many):
            with few:
                w.ask(alone, function, fields, size)
            with many:
                woken = w.ask(post, state, function, fields, size, helpers)
                with b.if_then(b.icmp_signed("!=", woken, ZERO)):
                    w.write(WOKEN, woken)
                    b.ret(this)
                with b.if_then(w.equal(w.ask(lead, state, spins), ZERO)):
                    w.write(WOKEN, 0)
                    b.ret(this)
    b.ret(count)


POST = Part("crew_post", 5, _post)
LEAD = Part("crew_lead", 2, _lead)
SERVE = Part("crew_serve", 3, _serve)
ALONE = Part("crew_alone", 3, _alone)
REPLAY = Part("crew_replay", 9, _replay)

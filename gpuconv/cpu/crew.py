"""Machine code of the thread pool: how threads share the indices of one job.

A job is a function, its fields and a count; whoever is free takes the next index. One word holds
the job's number and the next index, and an index is taken by exchanging that word, so that nobody
can take one of a job whose function he did not read: the word is closed (all indices taken) while a
job is written, as a sequence lock is (Boehm, "Can seqlocks get along with programming language
memory models?", 2012).
"""

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

I64, VOID = ir.IntType(64), ir.VoidType()
TASK = ir.FunctionType(VOID, [I64, I64])
# Words of the shared state; behind them each thread's own cache line, whose word says it sleeps.
TICKET, FUNCTION, FIELDS, COUNT, DONE, ALLOWED, STOP, WOKEN, SLEEPING = 0, 1, 2, 3, 4, 5, 6, 7, 16
LINE = 8  # words of a cache line
INDEX = (1 << 32) - 1  # bits of the ticket that hold the index
X86 = ("x86_64", "AMD64")


def _int(value: int) -> Any:
    return ir.Constant(I64, value)


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

    def equal(self, a: Any, b: Any) -> Any:
        return self.build.icmp_signed("==", a, b)

    def is_open(self, ticket: Any) -> Any:
        """Has the job an index that nobody took?"""
        index = self.build.and_(ticket, _int(INDEX))
        return self.build.icmp_signed("<", index, self.read(COUNT))

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
        with self.build.goto_entry_block():  # elsewhere, each time would take more of the stack
            left = self.build.alloca(I64)
        self.build.store(spins, left)
        with self.forever() as after:
            self.break_if(until(), after)
            rest = self.build.sub(self.build.load(left), _int(1))
            self.build.store(rest, left)
            self.break_if(self.build.icmp_signed("<=", rest, _int(0)), after)
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

    def drain(self) -> None:
        """Take indices and do them until all are taken."""
        with self.forever() as after:
            ticket = self.read(TICKET)
            self.break_if(self.build.not_(self.is_open(ticket)), after)
            function, fields = self.read(FUNCTION), self.read(FIELDS)
            following = self.build.add(ticket, _int(1))
            order = ("seq_cst", "seq_cst")
            taken = self.build.cmpxchg(self.word(TICKET), ticket, following, *order)
            with self.build.if_then(self.build.extract_value(taken, 1)):
                self.call(function, fields, self.build.and_(ticket, _int(INDEX)))
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
    """post(state, function, fields, count, allowed): a new job; which sleepers must be woken."""
    b, (_, function, fields, count, allowed) = w.build, w.given
    number = b.add(b.or_(w.read(TICKET), _int(INDEX)), _int(1))
    w.write(TICKET, b.or_(number, _int(INDEX)))
    for place, value in ((FUNCTION, function), (FIELDS, fields), (COUNT, count), (DONE, _int(0))):
        w.write(place, value)
    w.write(ALLOWED, allowed)
    w.write(TICKET, number)
    woken, me = b.alloca(I64), b.alloca(I64)
    b.store(_int(0), woken)
    b.store(_int(0), me)
    with w.forever() as after:
        this = b.load(me)
        w.break_if(b.icmp_signed(">=", this, allowed), after)
        slept = w.swap(b.add(_int(SLEEPING), b.mul(this, _int(LINE))), 0)
        b.store(b.or_(b.load(woken), b.shl(slept, this)), woken)
        b.store(b.add(this, _int(1)), me)
    b.ret(b.load(woken))


def _lead(w: _Writer) -> None:
    """lead(state, spins): work on the job; 1 when all of it is done, 0 when the wait was long."""
    w.drain()
    w.spin(w.given[1], lambda: w.equal(w.read(DONE), w.read(COUNT)))
    w.build.ret(w.build.zext(w.equal(w.read(DONE), w.read(COUNT)), I64))


def _serve(w: _Writer) -> None:
    """serve(state, me, spins): work on jobs until none came for a while, or it is to stop."""
    b, (_, me, spins) = w.build, w.given
    own = b.add(_int(SLEEPING), b.mul(me, _int(LINE)))

    def wanted() -> Any:
        return b.and_(w.is_open(w.read(TICKET)), b.icmp_signed("<", me, w.read(ALLOWED)))

    def ends() -> Any:
        return b.icmp_signed("!=", w.read(STOP), _int(0))

    with w.forever():
        w.leave_if(ends(), 1)
        with b.if_then(wanted()):
            w.drain()
        w.spin(spins, lambda: b.or_(wanted(), ends()))
        with b.if_then(b.not_(b.or_(wanted(), ends()))):
            w.write(own, 1)
            w.leave_if(b.not_(wanted()), 0)
            w.leave_if(w.equal(w.swap(own, 0), _int(0)), 0)  # woken meanwhile: it must take that
    b.unreachable()


def _alone(w: _Writer) -> None:
    """alone(function, fields, count): every index, one after the other, on this thread."""
    b, (function, fields, count) = w.build, w.given
    index = b.alloca(I64)
    b.store(_int(0), index)
    with w.forever() as after:
        this = b.load(index)
        w.break_if(b.icmp_signed(">=", this, count), after)
        w.call(function, fields, this)
        b.store(b.add(this, _int(1)), index)
    b.ret(_int(0))


def _replay(w: _Writer) -> None:
    """replay(state, jobs, first, count, post, lead, alone, others, spins): jobs in their order.

    Returns ``count``, or the number of a job that was posted and that the caller must finish, after
    waking the threads that WOKEN names.
    """
    b, (state, jobs, first, count, post, lead, alone, others, spins) = w.build, w.given
    number = b.alloca(I64)
    b.store(first, number)
    with w.forever() as after:
        this = b.load(number)
        w.break_if(b.icmp_signed(">=", this, count), after)
        job = b.inttoptr(b.add(jobs, b.mul(this, _int(24))), I64.as_pointer())
        function, fields, size = (b.load(b.gep(job, [_int(n)])) for n in range(3))
        helpers = b.sub(size, _int(1))
        helpers = b.select(b.icmp_signed("<", helpers, others), helpers, others)
        with b.if_else(b.icmp_signed("<", helpers, _int(1))) as (few, many):
            with few:
                w.ask(alone, function, fields, size)
            with many:
                woken = w.ask(post, state, function, fields, size, helpers)
                with b.if_then(b.icmp_signed("!=", woken, _int(0))):
                    w.write(WOKEN, woken)
                    b.ret(this)
                with b.if_then(w.equal(w.ask(lead, state, spins), _int(0))):
                    w.write(WOKEN, 0)
                    b.ret(this)
        b.store(b.add(this, _int(1)), number)
    b.ret(count)


POST = Part("crew_post", 5, _post)
LEAD = Part("crew_lead", 2, _lead)
SERVE = Part("crew_serve", 3, _serve)
ALONE = Part("crew_alone", 3, _alone)
REPLAY = Part("crew_replay", 9, _replay)

"""Mutation testing: one small change in a CUDA source, and the battery must notice."""

import json
import os
import signal
import subprocess
import sys

import pytest
from mutation import equivalents, kinds, report, worker
from mutation.code import ROOT, code, sources
from mutation.kinds import KINDS, Mutant

SAMPLED = ("conv2d/cuda_direct", "linear/cuda_tiled", "pool2d/cuda_direct")


def mutation(*words: str) -> list[str]:
    """The lines that ``python -m mutation`` prints."""
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    done = subprocess.run(
        [sys.executable, "-m", "mutation", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout.splitlines()


@pytest.mark.emulated
@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLED)
def test_a_mutant_of_each_kind_is_noticed(name):
    file = f"kernels/{name}.cu"
    found = [json.loads(line) for line in mutation("sample", file)]
    made = {mutant.kind for mutant in kinds.mutants(file)}
    assert [kind for kind, _, _ in found] == [kind for kind in KINDS if kind in made]
    assert [row for row in found if row[1] == worker.SURVIVED] == []


@pytest.mark.emulated
@pytest.mark.exhaustive
@pytest.mark.timeout(0)
def test_mutation_of_every_source():
    """Goes on where it stopped (.scratch/mutation); writes tests/mutation/result.json."""
    mutation("run")


def test_the_list_of_equivalent_mutants_names_mutants_that_there_are():
    assert equivalents.stale() == []
    assert all(proof.endswith(".") for proof in equivalents.proofs().values())


def test_a_stale_entry_is_noticed(monkeypatch):
    mutant = kinds.mutants("kernels/relu/cuda_direct.cu")[0]
    gone = (*mutant.key[:3], "y[i] = gone;", "y[i + 1] = gone;")
    monkeypatch.setattr(equivalents, "proofs", lambda: {mutant.key: "Same.", gone: "Same."})
    assert equivalents.stale() == [gone]


def test_the_result_in_the_repository_is_good_enough():
    kept = json.loads(report.RESULT.read_text())
    compiled = kept["killed"] + kept[worker.SURVIVED]
    assert kept["killed"] >= report.NOTICED * compiled
    assert kept["equivalent"] <= report.EQUIVALENT * kept["made"]
    assert sum(row[2] for row in kept["rows"]) == kept["made"]
    assert len(kept["survivors"]) == kept[worker.SURVIVED]


SOURCE = """
// c = a < b;
#pragma once
#ifndef REAL
#define REAL float
#endif
#define TILE 16
#define EACH(i, n) \\
    for (int i = 0; i < (n); ++i)
typedef REAL Tile[TILE][TILE + 1];
struct Shape { int n, c; };
__device__ inline int twice(int a) { return 2 * a; }
template <bool B>
__global__ void __launch_bounds__(256) f(
    REAL* y, int n
) {
    static_assert(TILE == 16, "");
    y[0] = 1;  // + 1
}
"""


def test_a_function_is_known_by_its_head():
    heads = {part.function: part.head.strip() for part in code(SOURCE)}
    assert heads["Shape"] == "struct Shape"
    assert heads["twice"] == "__device__ inline int twice(int a)"
    assert heads["f"].startswith("template <bool B>")


def test_code_is_what_stands_in_functions_structs_and_macros():
    found = [(part.function, part.text.strip()) for part in code(SOURCE)]
    assert found == [
        ("TILE", "16"),
        ("EACH", "for (int i = 0; i < (n); ++i)"),
        ("Shape", "int n, c;"),
        ("twice", "return 2 * a;"),
        ("f", "y[0] = 1;"),
    ]


@pytest.mark.parametrize(
    ("kind", "line", "expected"),
    [
        ("barrier", "    __syncthreads();", ["    ;"]),
        ("barrier", "if (a) __syncwarp(mask);", ["if (a) ;"]),
        ("barrier", "x += __shfl_xor_sync(~0u, x, 1);", []),
        ("comparison", "if (a < b || f<1>(c) >= d->e)", ["<=", ">"]),
        ("arithmetic", "a = b + c * d / e;", ["-", "+", "%"]),
        ("arithmetic", "a -= -b; ++i;", ["+=", "--"]),
        ("bits", "a = b ^ c >> 2 && d;", ["|", "<<"]),
        ("index", "y[i] = x[i];", ["y[i + 1]", "x[i + 1]"]),
        ("index", "REAL part[4];", []),
        ("constant", "a = 7 * b1 - 0x10u + 0.5f;", ["8", "17u"]),
        ("constant", "__shared__ REAL part[4];", ["part[3]"]),
        ("swap", "a = f(b, c[i], 2);", ["f(c[i], b, 2)", "f(b, 2, c[i])"]),
        ("swap", "a = b.c / d;", ["d / b.c"]),
        ("swap", "fma(a, b, c); void g(int a, int b) {", ["fma(a, c, b)"]),
        ("guard", "if (a(b)) c;", ["if (true)", "if (false)"]),
        ("guard", "a = b < c ? d : e;", ["a = true ?", "a = false ?"]),
        ("negation", "if (a == b && c) d;", ["if (!(a == b && c))", "!=", "||"]),
        ("branches", "f(a ? b : c, d);", ["a ? c : b, d"]),
        ("accumulation", "    a += b;", ["    ;"]),
        ("accumulation", "for (;;) sum.add(b);", ["for (;;) ;"]),
        ("accumulation", "a = fma(b, c, a);", [";"]),
        ("initialisation", "REAL a = 0; const REAL b = 0;", ["REAL a; const"]),
        ("initialisation", "else y[i] = 2;", ["else ;"]),
    ],
)
def test_what_a_kind_makes_of_a_line(kind, line, expected):
    found = list(KINDS[kind](line))
    assert len(found) == len(expected)
    for text, part in zip(found, expected, strict=True):
        assert text != line
        assert part in text


def test_every_kind_is_made_somewhere_and_no_mutant_twice():
    made = [mutant for file in sources() for mutant in kinds.mutants(file)]
    assert {mutant.kind for mutant in made} == set(KINDS)
    places = [(mutant.file, mutant.number, mutant.after) for mutant in made]
    assert len(places) == len(set(places))
    assert all(mutant.before != mutant.after for mutant in made)


def test_a_mutated_source_differs_in_one_line():
    mutant = Mutant("kernels/relu/cuda_direct.cu", 10, "f", "index", "old", "new")
    before = (ROOT / mutant.file).read_text().splitlines()
    after = kinds.mutated(mutant).splitlines()
    assert [n for n, pair in enumerate(zip(before, after, strict=True)) if len({*pair}) > 1] == [10]


def endless() -> tuple[str, str]:
    """Never ends."""
    worker._more_time()
    while True:
        pass


def test_a_child_that_crashes_or_never_ends_is_told_apart(monkeypatch):
    monkeypatch.setattr(worker, "SECONDS", 1)
    assert worker._in_child(lambda: ("values", "a check")) == ("values", "a check")
    assert worker._in_child(endless) == (worker.TIME, "")
    crash = worker._in_child(lambda: os.kill(os.getpid(), signal.SIGSEGV))
    assert crash == ("crash", "SIGSEGV")

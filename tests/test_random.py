"""Philox: the published vectors, and a word that depends on nothing but its place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuconv import random
from gpuconv.errors import OptionError
from gpuconv.random import Stream

ONES = 0xFFFFFFFF

# kat_vectors of Random123 1.14 (Salmon et al. 2011), philox4x32 with 10 rounds.
VECTORS = {
    "zeros": ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    "ones": ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    "pi": (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_known_answers(name):
    counter, key, expected = VECTORS[name]
    arrays = tuple(np.asarray([word], np.uint64) for word in counter)
    found = random.philox4x32(arrays, key)
    assert tuple(int(word[0]) for word in found) == expected


def plain_philox(counter, key):
    """Ten rounds in Python's integers, written from the paper's figure 1."""
    (a, b, c, d), (k, m) = counter, key
    for _ in range(10):
        high0, low0 = divmod(a * 0xD2511F53, 2**32)
        high1, low1 = divmod(c * 0xCD9E8D57, 2**32)
        a, b, c, d = high1 ^ b ^ k, low1, high0 ^ d ^ m, low0
        k, m = (k + 0x9E3779B9) % 2**32, (m + 0xBB67AE85) % 2**32
    return a, b, c, d


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**64 - 1),
    step=st.integers(0, 2**32 - 1),
    stream=st.integers(0, 2**32 - 1),
    element=st.integers(0, 40),
)
def test_a_word_is_a_function_of_its_place(seed, step, stream, element):
    words = Stream(seed, step, stream).words(element + 1)
    block = plain_philox((element // 4, 0, step, stream), (seed % 2**32, seed // 2**32))
    assert int(words[element]) == block[element % 4]


def test_words_do_not_depend_on_how_many_are_asked_for():
    whole = random.words(7, 3, 2, 3 * 2**16 + 5)  # several chunks of counters
    assert len(whole) == 3 * 2**16 + 5
    for size in (0, 1, 3, 4, 5, 2**16 - 1, 2**16, 2**16 + 1):
        np.testing.assert_array_equal(random.words(7, 3, 2, size), whole[:size])
    for element in (2**16 - 1, 2**16, 2**17 + 6):
        block = plain_philox((element // 4, 0, 3, 2), (7, 0))
        assert int(whole[element]) == block[element % 4]


def test_chunks_make_no_difference(monkeypatch):
    whole = random.words(1, 2, 3, 999)
    monkeypatch.setattr(random, "_CHUNK", 7)
    np.testing.assert_array_equal(random.words(1, 2, 3, 999), whole)


def test_seed_step_and_stream_each_change_the_words():
    places = [(0, 0, 0), (1, 0, 0), (2**32, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 2)]
    found = {random.words(*place, 8).tobytes() for place in places}
    assert len(found) == len(places)


def test_streams_are_not_shifted_copies_of_each_other():
    first, second = Stream(5, 0, 0).words(4096), Stream(5, 0, 1).words(4096)
    assert len(np.intersect1d(first, second)) <= 4


@pytest.mark.parametrize(
    ("drop", "threshold"),
    [(0.0, 2**32), (1.0, 0), (0.5, 2**31), (0.25, 3 * 2**30), (0.2, 3435973836)],
)
def test_keep_threshold(drop, threshold):
    assert random.keep_threshold(drop) == threshold


def test_keep_threshold_keeps_that_share():
    words = Stream(3).words(40_000)
    share = (words < random.keep_threshold(0.3)).mean()
    assert abs(share - 0.7) < 4 * np.sqrt(0.7 * 0.3 / 40_000)


def test_uniform_fills_its_interval():
    values = Stream(11).uniform((200, 200), -2.0, 3.0)
    assert values.dtype == np.float64
    assert values.shape == (200, 200)
    assert values.min() >= -2.0
    assert values.max() < 3.0
    assert abs(values.mean() - 0.5) < 4 * 5 / np.sqrt(12 * values.size)
    counts = np.histogram(values, 10, (-2.0, 3.0))[0]
    assert np.abs(counts - 4000).max() < 5 * np.sqrt(4000)


def test_uniform_is_the_word_scaled():
    stream = Stream(2, 1, 4)
    np.testing.assert_array_equal(stream.uniform((7,)), stream.words(7) / 2**32)


def test_normal_has_the_moments_of_a_normal():
    values = Stream(13).normal((40_000,), std=2.0) / 2.0
    for power, moment, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        error = abs((values**power).mean() - moment)
        assert error < 4 * np.sqrt(spread / values.size), power


def test_normal_of_an_odd_size_and_of_nothing():
    assert Stream(1).normal((3, 5)).shape == (3, 5)
    np.testing.assert_array_equal(Stream(1).normal((7,)), Stream(1).normal((8,))[:7])
    assert Stream(1).normal((0, 4)).shape == (0, 4)
    assert np.isfinite(Stream(1).normal((10_000,))).all()


@pytest.mark.parametrize("size", [0, 1, 2, 1000])
def test_permutation(size):
    order = Stream(4).permutation(size)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(size))
    if size > 2:
        assert (order != np.arange(size)).any()
        assert (order != Stream(4, 1).permutation(size)).any()


def test_purposes_do_not_overlap():
    starts = [0, random.INIT, random.SHUFFLE, random.AUGMENT, 2**32]
    assert starts == sorted(set(starts))
    assert min(np.diff(starts)) >= 2**28


def test_at_keeps_seed_and_step():
    assert Stream(9, 8, 7).at(6) == Stream(9, 8, 6)


def test_normal_values_are_those_of_box_and_muller():
    stream = Stream(7, 3, 2)
    first, second = (stream.words(6) / 2**32).reshape(3, 2).T
    radius = np.sqrt(-2 * np.log(first + 2.0**-33))
    both = radius * np.cos(2 * np.pi * second), radius * np.sin(2 * np.pi * second)
    np.testing.assert_allclose(stream.normal((3, 2)), np.transpose(both), rtol=1e-12)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ((-1, 0, 0), "seed must be an integer >= 0, got -1"),
        ((0, -1, 0), "step must be an integer >= 0, got -1"),
        ((0, 0, -1), "stream must be an integer >= 0, got -1"),
        ((2**64, 0, 0), r"seed must be in \[0, 2\*\*64\)"),
        ((0, 2**32, 0), r"step must be in \[0, 2\*\*32\)"),
        ((0, 0, 2**32), r"stream must be in \[0, 2\*\*32\)"),
        ((1.5, 0, 0), "seed must be an integer, got 1.5"),
        (("1", 0, 0), "seed must be an integer, got '1'"),
    ],
)
def test_places_that_are_none_are_refused(place, text):
    with pytest.raises(OptionError, match=f"Stream: {text}"):
        Stream(*place)


def test_quads_are_the_words_of_their_place():
    stream = Stream(2**40 + 3, 7, 9)
    blocks = np.array([5, 0, 2**33, 5])
    found = stream.quads(blocks)
    assert (found.dtype, found.shape) == (np.uint32, (4, 4))
    np.testing.assert_array_equal(found[[0, 1, 3]], stream.words(24).reshape(6, 4)[[5, 0, 5]])
    assert not np.array_equal(found[1], found[2])

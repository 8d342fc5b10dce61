"""Streams and events, with a CuPy that only takes notes and on the emulated GPU."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from gpuconv import cuda, device
from gpuconv.cuda import compile as compiler
from gpuconv.cuda import streams
from gpuconv.errors import DeviceError, OptionError


class FakeStream:
    """cupy.cuda.Stream as far as it is used; ``notes`` keeps what happened to whom."""

    current: "list[FakeStream]"
    notes: list

    def __enter__(self):
        self.current.append(self)
        return self

    def __exit__(self, *args):
        assert self.current.pop() is self
        self.notes.append(("left", self, args[0]))

    def synchronize(self):
        self.notes.append(("stream waited for", self))


class FakeEvent:
    """cupy.cuda.Event: recorded in the stream that is given, else in the current one."""

    def record(self, stream=None):
        here = stream or (FakeStream.current[-1] if FakeStream.current else None)
        FakeStream.notes.append(("recorded", self, here))

    def synchronize(self):
        FakeStream.notes.append(("event waited for", self))


@pytest.fixture
def notes(monkeypatch):
    """What a CuPy was told; cuda counts as available."""
    FakeStream.notes, FakeStream.current = [], []
    cupy = ModuleType("cupy")
    cupy.cuda = SimpleNamespace(
        Stream=FakeStream,
        Event=FakeEvent,
        get_elapsed_time=lambda a, b: FakeStream.notes.append(("measured", a, b)) or 2.5,
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(streams, "missing", lambda: None)
    return FakeStream.notes


def test_launches_inside_go_to_the_stream(notes):
    stream = cuda.Stream()
    assert not FakeStream.current
    with stream as entered:
        assert entered is stream
        assert FakeStream.current == [stream._stream]
        inside = cuda.Event().record()
    assert not FakeStream.current
    stream.synchronize()
    given = cuda.Event(device.CUDA).record(stream)
    assert notes == [
        ("recorded", inside._event, stream._stream),
        ("left", stream._stream, None),
        ("stream waited for", stream._stream),
        ("recorded", given._event, stream._stream),
    ]


def test_an_error_inside_leaves_the_stream(notes):
    stream = cuda.Stream()
    with pytest.raises(ZeroDivisionError), stream:
        _ = 1 / 0
    assert not FakeStream.current
    assert notes == [("left", stream._stream, ZeroDivisionError)]


def test_elapsed_time_waits_for_the_end_and_is_the_gpus(notes):
    start, end = cuda.Event(), cuda.Event()
    assert start.record() is start
    end.record()
    del notes[:]
    assert start.elapsed_time(end) == 2.5
    assert start.clock == "gpu"
    assert notes == [
        ("event waited for", end._event),
        ("measured", start._event, end._event),
    ]


def test_on_the_emulated_gpu_the_clock_is_the_cpus(monkeypatch):
    times = iter([1.0, 1.0625, 3.0])
    monkeypatch.setattr(streams, "perf_counter", lambda: next(times))
    start, end = cuda.Event("emulated"), cuda.Event(device.EMULATED)
    with cuda.Stream("emulated") as stream:
        start.record()
        end.record(stream)
    stream.synchronize()
    end.synchronize()
    assert start.clock == end.clock == "cpu"
    assert start.elapsed_time(end) == 62.5
    assert start.elapsed_time(end.record()) == 2000


@pytest.mark.emulated
def test_an_emulated_launch_is_done_when_it_returns(tmp_path):
    (tmp_path / "k.cu").write_text(
        'extern "C" __global__ void fill(float* y) { y[threadIdx.x] = 3; }'
    )
    y = device.to_device(np.zeros(4, np.float32), "emulated")
    start, end = cuda.Event("emulated"), cuda.Event("emulated")
    with cuda.Stream("emulated"):
        start.record()
        cuda.Source(tmp_path / "k.cu").function("fill")((1,), (4,), (y,))
        end.record()
        assert device.to_numpy(y).tolist() == [3] * 4
    assert start.elapsed_time(end) > 0


def test_what_does_not_fit_is_refused(notes):
    here, there = cuda.Event(), cuda.Event("emulated").record()
    with pytest.raises(OptionError, match=r"Event.elapsed_time: the event was not recorded"):
        here.elapsed_time(cuda.Event())
    with pytest.raises(OptionError, match=r"elapsed_time: the event was not recorded; call record"):
        here.record().elapsed_time(cuda.Event())
    with pytest.raises(OptionError, match=r"Event.synchronize: the event was not recorded"):
        cuda.Event().synchronize()
    with pytest.raises(OptionError, match=r"elapsed_time: expected an Event, got 3"):
        here.elapsed_time(3)
    with pytest.raises(DeviceError, match="the events are on cuda and emulated"):
        here.elapsed_time(there)
    with pytest.raises(DeviceError, match="the event is on cuda, the stream on emulated"):
        here.record(cuda.Stream("emulated"))


@pytest.mark.parametrize("kind", [cuda.Stream, cuda.Event])
def test_a_device_without_streams_is_refused(kind, monkeypatch):
    with pytest.raises(DeviceError, match=r"expected device 'cuda' or 'emulated', got 'cpu'"):
        kind("cpu")
    monkeypatch.setattr(streams, "missing", lambda: "no GPU: there is no NVIDIA driver")
    with pytest.raises(DeviceError, match=rf"{kind.__name__}: device 'cuda' is not .* no NVIDIA"):
        kind()


@pytest.mark.skipif(compiler.nvrtc()[0] is None, reason=f"needs NVRTC: {compiler.nvrtc()[1]}")
def test_what_cupy_loads_is_the_compilers_own_file(tmp_path, monkeypatch):
    (tmp_path / "k.cu").write_text('extern "C" __global__ void f(REAL* y) { y[0] = 1; }')
    source, loaded = cuda.Source(tmp_path / "k.cu"), []
    cupy = ModuleType("cupy")
    cupy.RawModule = lambda path: SimpleNamespace(get_function=lambda n: loaded.append((path, n)))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path / "cache"))
    for _ in range(2):  # compiled, and from the cache
        compiler.load(source, "f", {"REAL": "float"}, "sm_90")
    cubin, _ = compiler.compile_cubin(source, {"REAL": "float"}, "sm_90")
    (path, name), again = loaded
    assert (path, name) == again
    assert name == "f"
    with open(path, "rb") as file:
        assert file.read() == cubin

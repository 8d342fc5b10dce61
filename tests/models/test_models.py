"""Nets by name: sizes, names, shapes, initial values, and LeNet-5 as LeCun et al. wrote it down."""

import re
from collections import Counter

import numpy as np
import pytest

import gpuconv as gcv
from gpuconv import models
from gpuconv.errors import OptionError
from gpuconv.layers import Dropout
from gpuconv.layers.lenet import LENET5_TABLE
from gpuconv.models import registry
from gpuconv.random import Stream

NAMES = list(models.models())

COUNTS = {
    "alexnet": 61_100_840,
    "alexnet_2012": 60_965_224,
    "cuda_convnet": 1_116_490,
    "lenet5": 61_706,
    "lenet5_1998": 60_000,
    "plain18": 11_515_688,
    "plain20": 269_722,
    "plain34": 21_623_848,
    "plain56": 853_018,
    "resnet18": 11_689_512,
    "resnet20": 269_722,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet56": 853_018,
    "squeezenet": 1_235_496,
    "vgg11": 132_863_336,
    "vgg11_bn": 132_868_840,
    "vgg13": 133_047_848,
    "vgg13_bn": 133_053_736,
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
    "vgg19": 143_667_240,
    "vgg19_bn": 143_678_248,
    "zfnet": 62_357_608,
}

# Rows S2 maps, columns C3 maps, as printed in LeCun et al. (1998), table I.
TABLE_I = """
#...###..####.##
##...###..####.#
###...###..#.###
.###..####..#.##
..###..####.##.#
...###..####.###
"""

ALEXNET = {
    "features.0.weight": (64, 3, 11, 11),
    "features.0.bias": (64,),
    "features.3.weight": (192, 64, 5, 5),
    "features.3.bias": (192,),
    "features.6.weight": (384, 192, 3, 3),
    "features.6.bias": (384,),
    "features.8.weight": (256, 384, 3, 3),
    "features.8.bias": (256,),
    "features.10.weight": (256, 256, 3, 3),
    "features.10.bias": (256,),
    "classifier.1.weight": (4096, 9216),
    "classifier.1.bias": (4096,),
    "classifier.4.weight": (4096, 4096),
    "classifier.4.bias": (4096,),
    "classifier.6.weight": (1000, 4096),
    "classifier.6.bias": (1000,),
}


STAGE = "{0}x{1}x{1} {0}x{1}x{1} {0}x{1}x{1} {0}x{1}x{1}"  # two convolutions with ReLU


def sizes(net):
    """Parameters by the first part of their name."""
    found = Counter()
    for name, parameter in net.named_parameters():
        found[name.partition(".")[0]] += parameter.size
    return found


def dropouts(layer):
    own = [layer] if isinstance(layer, Dropout) else []
    return own + [d for child in layer.children().values() for d in dropouts(child)]


def digits(count):
    data = gcv.data.mnist("train")
    return gcv.data.ArrayDataset("few", data.images[:count], data.labels[:count], data.classes)


@pytest.mark.parametrize("name", NAMES)
def test_parameter_counts(name):
    assert sum(sizes(models.create(name)).values()) == COUNTS[name]
    assert f"{COUNTS[name]:,} parameters" in models.get(name).summary


def test_lenet5_1998_layer_by_layer():
    expected = {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164}
    assert sizes(models.create("lenet5_1998")) == expected


def test_alexnet_has_the_names_and_shapes_of_torchvision():
    net = models.create("alexnet")
    assert {name: p.shape for name, p in net.named_parameters()} == ALEXNET
    assert list(dict(net.named_parameters())) == list(ALEXNET)
    assert list(net.named_buffers()) == []
    assert not any(parameter.drawn for parameter in net.parameters())


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        (
            "lenet5",
            "6x28x28 6x28x28 6x14x14 16x10x10 16x10x10 16x5x5 400 120 120 120 84 84 84 10",
        ),
        (
            "lenet5_1998",
            "6x28x28 6x28x28 6x14x14 6x14x14 6x14x14 16x10x10 16x10x10 16x5x5 16x5x5 16x5x5 "
            "120x1x1 120x1x1 120 120 84 84 10",
        ),
        (
            "alexnet",
            "64x55x55 64x55x55 64x27x27 192x27x27 192x27x27 192x13x13 384x13x13 384x13x13 "
            "256x13x13 256x13x13 256x13x13 256x13x13 256x6x6 256x6x6 9216 "
            "9216 4096 4096 4096 4096 4096 1000",
        ),
        (
            "alexnet_2012",
            "96x55x55 96x55x55 96x55x55 96x27x27 256x27x27 256x27x27 256x27x27 256x13x13 "
            "384x13x13 384x13x13 384x13x13 384x13x13 256x13x13 256x13x13 256x6x6 9216 "
            "4096 4096 4096 4096 4096 4096 1000",
        ),
        (
            "vgg16",
            f"{STAGE.format(64, 224)} 64x112x112 {STAGE.format(128, 112)} 128x56x56 "
            f"{STAGE.format(256, 56)} 256x56x56 256x56x56 256x28x28 "
            f"{STAGE.format(512, 28)} 512x28x28 512x28x28 512x14x14 "
            f"{STAGE.format(512, 14)} 512x14x14 512x14x14 512x7x7 512x7x7 25088 "
            "4096 4096 4096 4096 4096 4096 1000",
        ),
    ],
)
def test_shapes_layer_by_layer(name, shapes):
    net = models.create(name)
    rows = net.summary(net.input_shape, batch_size=5).rows
    found = " ".join("x".join(map(str, row.output_shape[1:])) for row in rows)
    assert found == shapes
    assert all(row.output_shape[0] == 5 for row in rows)


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998"])
def test_the_seed_alone_decides_the_initial_values(name):
    first, same, other = (models.create(name, seed=seed).state_dict() for seed in (3, 3, 4))
    constant = []
    for key, value in first.items():
        np.testing.assert_array_equal(value, same[key])
        if (value == value.flat[0]).all():
            constant.append(key)
        elif key != "rbf.code":
            assert (value != other[key]).mean() > 0.9, key
    assert constant
    assert all(key.endswith(".bias") or "affine" in key for key in constant)


@pytest.mark.parametrize("name", NAMES)
def test_num_classes_changes_the_last_layer_only(name):
    net, usual = models.create(name, num_classes=7), models.create(name)
    assert net.output_shape((2, *net.input_shape)) == (2, 7)
    differ = [
        key
        for (key, p), (_, q) in zip(net.named_parameters(), usual.named_parameters(), strict=True)
        if p.shape != q.shape
    ]
    last = [key for key, _ in usual.named_parameters()][-2:]
    assert differ == ([] if name == "lenet5_1998" else last)  # there the codes change


@pytest.mark.parametrize("name", NAMES)
def test_dropout_is_the_models_own_or_as_asked(name):
    own = models.get(name).dropout
    dropping = ("alexnet", "squeezenet", "vgg", "zfnet")
    assert own == (0.5 if name.startswith(dropping) else 0.0)
    for asked, expected in ((None, own), (0.25, 0.25), (0, 0)):
        found = dropouts(models.create(name, dropout=asked))
        assert found
        assert all(layer.p == expected for layer in found)


@pytest.mark.parametrize("name", NAMES)
def test_a_net_says_which_images_it_takes(name):
    net, entry = models.create(name), models.get(name)
    assert (net.input_shape, net.mean, net.std) == (entry.input_shape, entry.mean, entry.std)
    assert len(entry.mean) == len(entry.std) == entry.input_shape[0]
    assert entry.summary.endswith(".")
    assert re.search(r" (19|20)\d\d\b", entry.source)


def test_lenet5_takes_digits_of_mean_0_and_deviation_1():
    net = models.create("lenet5")
    pixels = (digits(9000).images / 255 - net.mean[0]) / net.std[0]
    assert abs(pixels.mean()) < 0.02
    assert abs(pixels.std() - 1) < 0.02
    assert (net.mean, net.std) == ((0.1307,), (0.3081,))  # of the 60,000 digits of MNIST


def test_lenet5_1998_sees_the_greys_of_the_paper():
    entry = models.get("lenet5_1998")
    black, white = ((value - entry.mean[0]) / entry.std[0] for value in (0.0, 1.0))
    assert black == pytest.approx(-0.1, abs=1e-3)
    assert white == pytest.approx(1.175, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": "lenet"}, "'lenet'; did you mean 'lenet5'. there are .*lenet5, lenet5_1998"),
        ({"name": ["lenet5"]}, r"no model named \['lenet5'\]; did you"),
        ({"name": "ResNet-50"}, "no model named 'ResNet-50'; did you mean 'resnet50'. there are"),
        ({"name": "transformer"}, "no model named 'transformer'; there are alexnet, "),
        ({"name": None}, "no model named None; there are alexnet, "),
        ({"name": "lenet5", "num_classes": 0}, "lenet5: num_classes must be an integer >= 1"),
        ({"name": "lenet5", "num_classes": 2.5}, "lenet5: num_classes must be an integer"),
        ({"name": "alexnet", "dropout": 1.0}, r"alexnet: dropout must be in \[0, 1\), got 1.0"),
        ({"name": "alexnet", "dropout": float("nan")}, "dropout must be a finite number, got nan"),
        ({"name": "alexnet", "dropout": "0.5"}, "dropout must be a finite number, got '0.5'"),
        ({"name": "lenet5", "seed": -1}, "lenet5: seed must be an integer >= 0"),
    ],
)
def test_bad_options_are_refused(options, text):
    with pytest.raises(OptionError, match=text):
        models.create(**options)


def test_a_model_of_ones_own_is_found_by_name(monkeypatch):
    monkeypatch.setattr(registry, "_MODELS", dict(registry._MODELS))

    @models.model(input_shape=(1, 4, 4), mean=(0.0,), std=(1.0,), num_classes=3)
    def tiny(num_classes, dropout):
        """Four by four."""
        return gcv.Sequential(gcv.layers.Flatten(), gcv.layers.Linear(16, num_classes))

    net = gcv.models.create("tiny")
    assert net(np.zeros((2, 1, 4, 4), np.float32)).shape == (2, 3)
    assert models.models()["tiny"].summary == "Four by four."


def test_the_connection_table_is_table_one():
    rows = TABLE_I.split()
    printed = tuple(tuple(c for c in range(6) if rows[c][k] == "#") for k in range(len(rows[0])))
    assert tuple(tuple(sorted(maps)) for maps in LENET5_TABLE) == printed
    assert sum(map(len, LENET5_TABLE)) == 60
    assert [row.count("#") for row in rows] == [10] * 6


def test_c3_sees_the_maps_of_the_table_and_no_other():
    c3 = dict(models.create("lenet5_1998").children())["c3"]
    x = Stream(1).normal((1, 6, 5, 5)).astype(np.float32)
    before = c3(x)
    for source in range(6):
        changed = x.copy()
        changed[:, source] += 1
        moved = np.flatnonzero((c3(changed) != before).any(axis=(0, 2, 3)))
        assert moved.tolist() == [k for k, maps in enumerate(LENET5_TABLE) if source in maps]


def test_lenet5_1998_learns_with_its_codes_left_alone():
    net = models.create("lenet5_1998")
    code = net.state_dict()["rbf.code"].copy()
    assert "rbf.code" not in dict(net.named_parameters())
    assert set(np.unique(code)) == {-1.0, 1.0}
    assert len(np.unique(code, axis=0)) == 10
    before = {name: p.value.copy() for name, p in net.named_parameters()}
    told = []
    optimizer = gcv.SGD(net.parameters(), lr=0.02, momentum=0.9)
    gcv.Trainer(net, optimizer, callbacks=[told.append]).fit(digits(320), epochs=4, batch_size=32)
    losses = [state.loss for state in told if state.event == "epoch"]
    assert losses[-1] < 0.7 * losses[0]
    np.testing.assert_array_equal(net.state_dict()["rbf.code"], code)
    still = [name for name, p in net.named_parameters() if (p.value == before[name]).all()]
    assert still == []

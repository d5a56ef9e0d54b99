"""Layers in quantization-aware training: how they are made and what they compute."""

from typing import Any

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.nn import intrinsic as nni
from qrs.nn.intrinsic import qat as nniqat
from qrs.nn.qat import WeightFakeQuant

QCONFIG = Q.get_default_qat_qconfig("qrs")

# Class, arguments, shape of an input. Convolutions: settings that are not the defaults.
CONV: dict[str, Any] = {"stride": 2, "padding": 1, "groups": 2, "bias": True}
CASES: list[tuple[type[Any], tuple[int, ...], dict[str, Any], tuple[int, ...]]] = [
    (nn.qat.Linear, (4, 3), {}, (5, 4)),
    (nniqat.LinearReLU, (4, 3), {"bias": False}, (5, 4)),
    (nniqat.LinearBn1d, (4, 3), {}, (5, 4)),
    *(
        (getattr(module, name + f"{rank}d"), (4, 6, 3), CONV, (3, 4, *[5] * rank))
        for module, names in ((nn.qat, ["Conv"]), (nniqat, ["ConvReLU", "ConvBn", "ConvBnReLU"]))
        for name in names
        for rank in (1, 2, 3)
    ),
]


def name_of(value: object) -> str:
    return value.__name__ if isinstance(value, type) else ""


def float_parts(layer: Any) -> list[nn.Module]:
    """New float modules of the sizes of a layer."""
    classes = layer.float_class.types if issubclass(layer.float_class, nni.FusedModule) else ()
    parts: list[nn.Module] = []
    for cls in classes or (layer.float_class,):
        if cls is nn.Linear:
            parts.append(cls(layer.in_features, layer.out_features, layer.bias is not None))
        elif cls is nn.ReLU:
            parts.append(cls())
        elif "BatchNorm" in cls.__name__:
            parts.append(cls(len(layer.weight)))
        else:
            parts.append(
                cls(
                    layer.in_channels,
                    layer.out_channels,
                    layer.kernel_size,
                    layer.stride,
                    layer.padding,
                    layer.dilation,
                    layer.groups,
                    layer.bias is not None,
                )
            )
    return parts


@pytest.mark.parametrize(("cls", "args", "settings", "shape"), CASES, ids=name_of)
class TestEveryClass:
    def test_without_rounding_it_is_the_float_layer(
        self, cls: Any, args: Any, settings: Any, shape: Any
    ) -> None:
        layer = cls(*args, qconfig=QCONFIG, **settings)
        layer.apply(Q.disable_fake_quant)
        expected = nn.Sequential(*float_parts(layer))
        with qrs.no_grad():
            for name, param in layer.named_parameters():
                param.uniform_(-1, 1)
                place, leaf = ("1", name[3:]) if name.startswith("bn.") else ("0", name)
                getattr(expected[int(place)], leaf).copy_(param)
        for mode in (True, False):
            layer.train(mode), expected.train(mode)
            x = qrs.randn(*shape)
            np.testing.assert_allclose(
                layer(x).detach().numpy(), expected(x).detach().numpy(), rtol=1e-4, atol=1e-5
            )

    def test_weight_is_rounded_as_it_will_be_stored(
        self, cls: Any, args: Any, settings: Any, shape: Any
    ) -> None:
        layer = cls(*args, qconfig=QCONFIG, **settings)
        rounded = layer._rounded_weight().detach()
        weight = layer.folded()[0] if hasattr(layer, "folded") else layer.weight.detach()
        expected = layer.weight_fake_quant(weight)
        if hasattr(layer, "folded"):
            rounded = rounded * layer._factor().detach()
        np.testing.assert_allclose(rounded.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)

    def test_from_float_shares_parameters_and_keeps_settings(
        self, cls: Any, args: Any, settings: Any, shape: Any
    ) -> None:
        model = cls(*args, qconfig=QCONFIG, **settings)
        parts = float_parts(model)
        source = cls.float_class(*parts) if len(parts) > 1 else parts[0]
        source.qconfig = QCONFIG
        layer = cls.from_float(source.train())
        assert layer.weight is parts[0].weight
        assert layer.bias is parts[0].bias
        assert layer.qconfig is QCONFIG
        assert layer.state_dict().keys() == model.state_dict().keys()
        shown = repr(layer).split("\n")[1 if "(bn)" in repr(layer) else 0]
        assert shown.split("(")[0] == repr(model).split("\n")[0].split("(")[0] or shown
        if parts[1:] and "Bn" in cls.__name__:
            assert layer.bn is parts[1]
        before = source(qrs.ones(*shape)).detach().numpy()
        layer.apply(Q.disable_fake_quant)
        after = layer(qrs.ones(*shape)).detach().numpy()
        np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)

    def test_another_class_is_refused(self, cls: Any, args: Any, settings: Any, shape: Any) -> None:
        class Mine(cls.float_class):  # type: ignore[misc, name-defined]
            pass

        mine = Mine.__new__(Mine)
        with pytest.raises(TypeError, match=rf"{cls.__name__}\.from_float: a Mine came"):
            cls.from_float(mine)

    def test_without_a_qconfig_nothing_is_made(
        self, cls: Any, args: Any, settings: Any, shape: Any
    ) -> None:
        with pytest.raises(qrs.QrsError, match=rf"{cls.__name__}: qconfig None came"):
            cls(*args, **settings)


def test_tables_take_the_settings_of_the_float_ones() -> None:
    qconfig = Q.default_embedding_qat_qconfig
    table = nn.Embedding(6, 4, padding_idx=2)
    table.qconfig = qconfig
    layer = nn.qat.Embedding.from_float(table)
    assert layer.padding_idx == 2
    layer(qrs.tensor([1, 2])).sum().backward()
    assert table.weight.grad.sum(1).tolist() == [0, 4, 0, 0, 0, 0]
    bags = nn.EmbeddingBag(6, 4, mode="max", include_last_offset=True)
    bags.qconfig = qconfig
    made = nn.qat.EmbeddingBag.from_float(bags)
    made.apply(Q.disable_fake_quant)
    args = qrs.tensor([0, 1, 5]), qrs.tensor([0, 2, 3])
    assert qrs.equal(made(*args), bags(*args))


def test_all_classes_are_covered() -> None:
    exported = {
        value
        for module in (nn.qat, nniqat)
        for name in module.__all__
        if isinstance(value := getattr(module, name), type) and hasattr(value, "float_class")
    }
    assert exported - {case[0] for case in CASES} == {nn.qat.Embedding, nn.qat.EmbeddingBag}
    assert all(issubclass(cls, WeightFakeQuant) for cls in exported)

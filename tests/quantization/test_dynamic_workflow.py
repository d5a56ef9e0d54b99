"""quantize_dynamic: every form of request, and what happens to a request that cannot be met."""

import warnings

import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import UnquantizedLayerWarning, UnsupportedLayerError
from qrs.nn.quantized import dynamic as nnqd
from qrs.quantization.swaps import SWAPS, dynamic_types


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(4, 4)
        self.act = nn.ReLU()
        self.fc2 = nn.Linear(4, 4)

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        return self.fc2(self.act(self.fc1(x)))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block()
        self.head = nn.Linear(4, 2)

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        return self.head(self.block(x))


def types(model: nn.Module) -> dict[str, type]:
    return {
        name: type(module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nnqd.Linear)
    }


FLOAT, INT8 = nn.Linear, nnqd.Linear


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (None, (INT8, INT8, INT8)),
        ({nn.Linear}, (INT8, INT8, INT8)),
        ([nn.Linear], (INT8, INT8, INT8)),
        ({"head"}, (FLOAT, FLOAT, INT8)),
        ({"block"}, (INT8, INT8, FLOAT)),
        ({"block.fc2", "head"}, (FLOAT, INT8, INT8)),
        ({Block}, (INT8, INT8, FLOAT)),
        ({nn.Linear: Q.default_dynamic_qconfig}, (INT8, INT8, INT8)),
        ({nn.Linear: Q.default_dynamic_qconfig, "head": None}, (INT8, INT8, FLOAT)),
        ({"block": Q.default_dynamic_qconfig, "block.fc1": None}, (FLOAT, INT8, FLOAT)),
        ({"": Q.per_channel_dynamic_qconfig}, (INT8, INT8, INT8)),
        (set(), (FLOAT, FLOAT, FLOAT)),
    ],
)
def test_forms_of_request(spec: object, expected: tuple[type, ...]) -> None:
    model = Net()
    quantized = Q.quantize_dynamic(model, spec)
    assert tuple(types(quantized).values()) == expected
    # The original is untouched, and no qconfig is left behind.
    assert set(types(model).values()) == {FLOAT}
    assert not any(hasattr(module, "qconfig") for module in quantized.modules())
    assert not quantized.training
    assert model.training


def test_in_place_changes_the_model_itself() -> None:
    model = Net()
    assert Q.quantize_dynamic(model, inplace=True) is model
    assert set(types(model).values()) == {INT8}


def test_a_root_layer_is_returned_quantized() -> None:
    layer = nn.Linear(3, 2)
    assert type(Q.quantize_dynamic(layer)) is nnqd.Linear
    assert type(Q.quantize_dynamic(layer, {nn.Linear}, inplace=True)) is nnqd.Linear
    assert type(layer) is nn.Linear


def test_a_module_under_two_names_stays_one() -> None:
    model = Net()
    model.block.fc2 = model.block.fc1
    model.head = model.block.fc1
    quantized = Q.quantize_dynamic(model)
    assert type(quantized.head) is nnqd.Linear
    assert quantized.head is quantized.block.fc1 is quantized.block.fc2


@pytest.mark.parametrize(
    "row", [row for row in SWAPS if row.dynamic], ids=lambda r: r.float.__name__
)
@pytest.mark.parametrize("dtype", [qrs.qint8, qrs.float16], ids=str)
def test_every_row_of_the_table_is_swapped(row: object, dtype: qrs.dtype) -> None:
    if dtype not in row.dynamic.weight_dtypes:
        dtype = row.dynamic.weight_dtypes[0]
    model = nn.Sequential(row.float(8, 4))
    quantized = Q.quantize_dynamic(model, dtype=dtype)
    assert type(quantized[0]) is row.dynamic
    assert quantized[0].dtype is dtype
    assert Q.get_dynamic_quant_module_class(row.float) is row.dynamic


def test_default_spec_is_read_off_the_table() -> None:
    assert dynamic_types(qrs.qint8) == dynamic_types(qrs.float16)
    assert {nn.Linear, nn.LSTM, nn.GRU, nn.RNN} <= set(dynamic_types(qrs.qint8))


def test_own_mapping() -> None:
    class Mine(nnqd.Linear):
        pass

    quantized = Q.quantize_dynamic(Net(), mapping={nn.Linear: Mine})
    assert set(types(quantized).values()) == {Mine}


@pytest.mark.parametrize("dtype", [qrs.qint32, "qint8"])
def test_other_dtype_raises(dtype: object) -> None:
    for spec in (None, {nn.Linear}):
        with pytest.raises(ValueError, match=rf"dtype {dtype!r} came, expected one of qrs\.qint8"):
            Q.quantize_dynamic(Net(), spec, dtype=dtype)


def test_unsupported_type_raises_and_lists_the_supported() -> None:
    with pytest.raises(UnsupportedLayerError, match=r"ReLU has no.*GRU.*LSTM.*Linear"):
        Q.quantize_dynamic(Net(), {nn.Linear, nn.ReLU})


def test_unknown_name_raises_and_suggests() -> None:
    with pytest.raises(UnsupportedLayerError, match=r"'block\.fc3'; did you mean 'block\.fc"):
        Q.quantize_dynamic(Net(), {"block.fc3"})
    with pytest.raises(UnsupportedLayerError, match=r"'Linear'; for all .* pass qrs\.nn\.Linear"):
        Q.quantize_dynamic(Net(), {"Linear"})


def test_name_of_what_cannot_be_quantized_raises() -> None:
    with pytest.raises(UnsupportedLayerError, match=r"'block\.act' \(ReLU\)"):
        Q.quantize_dynamic(Net(), {"block.act"})


def test_type_that_the_model_has_not_is_fine() -> None:
    assert set(types(Q.quantize_dynamic(Net(), {nn.LSTM, nn.Linear})).values()) == {INT8}


def test_key_of_another_kind_raises() -> None:
    with pytest.raises(TypeError, match="42"):
        Q.quantize_dynamic(Net(), {42})


class MyLinear(nn.Linear):
    pass


@pytest.mark.parametrize("spec", [None, {nn.Linear}, {"head"}, {"": Q.default_dynamic_qconfig}])
def test_subclass_is_reported_by_name(spec: object) -> None:
    model = Net()
    model.head = MyLinear(4, 2)
    if spec == {"head"}:
        with pytest.raises(UnsupportedLayerError, match=r"'head' \(MyLinear\)"):
            Q.quantize_dynamic(model, spec)
        return
    with pytest.warns(UnquantizedLayerWarning, match=r"head \(MyLinear\)"):
        quantized = Q.quantize_dynamic(model, spec)
    assert type(quantized.head) is MyLinear


def test_subclass_that_was_not_asked_for_is_left_in_silence() -> None:
    model = Net()
    model.head = MyLinear(4, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Q.quantize_dynamic(model, {"block"})


def test_hooks_move_to_the_quantized_layer() -> None:
    model = Net()
    calls: list[str] = []
    model.head.register_forward_pre_hook(lambda *_: calls.append("before"))
    model.head.register_forward_hook(lambda *_: calls.append("after"))
    Q.quantize_dynamic(model)(qrs.ones(1, 4))
    assert calls == ["before", "after"]


@pytest.mark.parametrize("engine", ["qrs", "fbgemm", "qnnpack"])
def test_profile_is_stored_at_conversion(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qrs.backends.quantized, "engine", engine)
    quantized = Q.quantize_dynamic(Net())
    x = qrs.randn(5, 4)
    before = quantized(x)
    for other in ("qrs", "fbgemm", "qnnpack"):
        monkeypatch.setattr(qrs.backends.quantized, "engine", other)
        assert qrs.equal(quantized(x), before)
    assert quantized.head.engine == engine


def test_output_is_close_to_float() -> None:
    model = Net()
    x = qrs.randn(64, 4)
    difference = (Q.quantize_dynamic(model)(x) - model(x)).abs().max().item()
    assert difference < 0.03

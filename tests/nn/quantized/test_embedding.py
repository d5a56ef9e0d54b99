"""Quantized embedding tables."""

import copy
import pickle

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import DtypeError, ShapeError, StateDictError, UnsupportedLayerError
from qrs.nn import quantized as nnq


def make(module: nn.Module) -> nn.Module:
    return Q.quantize_dynamic(module, dtype=qrs.quint8)


def table(rows: int = 12, width: int = 5) -> nn.Embedding:
    return nn.Embedding(rows, width)


def test_rows_are_within_half_a_step() -> None:
    layer = table()
    quantized = make(layer)
    indices = qrs.tensor([[0, 3, 11], [3, 3, 1]])
    weight = layer.weight.detach().numpy()
    half_step = (weight.max(1) - weight.min(1)) / 255 / 2
    error = np.abs(quantized(indices).numpy() - layer(indices).detach().numpy()).max(-1)
    assert (error <= half_step[indices.numpy()] * 1.001).all()


def test_a_constant_row_is_exact() -> None:
    layer = table(3, 4)
    with qrs.no_grad():
        layer.weight[1].fill_(5.0)
    assert make(layer)(qrs.tensor([1])).tolist() == [[5.0] * 4]


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 3])
@pytest.mark.parametrize("last", [False, True])
def test_bags_keep_the_mode_of_the_float_layer(
    mode: str, padding_idx: int | None, last: bool
) -> None:
    layer = nn.EmbeddingBag(12, 5, mode=mode, padding_idx=padding_idx, include_last_offset=last)
    quantized = make(layer)
    assert f"mode={mode!r}" in repr(quantized)
    # The float layer on the very rows that the table stands for.
    with qrs.no_grad():
        layer.weight.copy_(quantized.weight().dequantize())
    indices = qrs.tensor([1, 3, 3, 7, 0, 11])
    offsets = qrs.tensor([0, 2, 2, 5, 6] if last else [0, 2, 2, 5])
    got, want = quantized(indices, offsets), layer(indices, offsets)
    np.testing.assert_allclose(got.numpy(), want.detach().numpy(), rtol=1e-5, atol=1e-6)
    grid = qrs.tensor([[1, 3], [3, 3], [4, 5]])
    if not last:
        got, want = quantized(grid), layer(grid)
        np.testing.assert_allclose(got.numpy(), want.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_per_sample_weights() -> None:
    quantized = make(nn.EmbeddingBag(6, 3, mode="sum"))
    indices, factors = qrs.tensor([[1, 2]]), qrs.tensor([[2.0, -0.5]])
    rows = make_rows(quantized, [1, 2])
    expected = 2.0 * rows[0] - 0.5 * rows[1]
    got = quantized(indices, per_sample_weights=factors).numpy()[0]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def make_rows(bag: nnq.EmbeddingBag, indices: list[int]) -> np.ndarray:
    return bag.weight().dequantize().numpy()[indices]


def test_bad_indices_raise() -> None:
    for layer in (make(table()), make(nn.EmbeddingBag(12, 5))):
        with pytest.raises(ShapeError, match="12"):
            layer(qrs.tensor([[12]]))
        with pytest.raises(DtypeError):
            layer(qrs.tensor([[1.0]]))


def test_state_copies_and_pickles() -> None:
    layer = make(table())
    indices = qrs.tensor([0, 5, 11])
    loaded = make(table())
    loaded.load_state_dict(layer.state_dict())
    packed = make(table())
    packed.load_state_dict(
        {"_packed_params.dtype": qrs.quint8, "_packed_params._packed_weight": layer.weight()}
    )
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), loaded, packed):
        assert qrs.equal(other(indices), layer(indices))
    with pytest.raises(StateDictError, match=r"weight.*\(3, 5\)"):
        layer.load_state_dict(make(table(3)).state_dict())
    with pytest.raises(StateDictError, match="missing"):
        layer.load_state_dict({})


def test_what_cannot_be_quantized_raises() -> None:
    with pytest.raises(UnsupportedLayerError, match="max_norm"):
        make(nn.Embedding(3, 2, max_norm=1.0))
    with pytest.raises(DtypeError, match="float_qparams_weight_only_qconfig"):
        Q.quantize_dynamic(table(), {nn.Embedding: Q.default_dynamic_qconfig})
    for cls in (nnq.Embedding, nnq.EmbeddingBag):
        with pytest.raises(DtypeError, match="qint8"):
            cls(3, 2, dtype=qrs.qint8)
    with pytest.raises(ValueError, match="median"):
        nnq.EmbeddingBag(3, 2, mode="median")


def test_set_weight_checks() -> None:
    layer = nnq.Embedding(3, 2)
    assert layer(qrs.tensor([2])).tolist() == [[0.0, 0.0]]
    wrong = qrs.quantize_per_tensor(qrs.zeros(3, 2), 0.1, 0, qrs.quint8)
    with pytest.raises(DtypeError, match="per_tensor_affine"):
        layer.set_weight(wrong)
    with pytest.raises(DtypeError, match="Tensor"):
        layer.set_weight(qrs.zeros(3, 2))


def test_quint8_leaves_linear_layers_float() -> None:
    model = nn.Sequential(table(), nn.Linear(5, 2))
    quantized = make(model)
    assert type(quantized[0]) is nnq.Embedding
    assert type(quantized[1]) is nn.Linear


def test_whole_model_with_the_default_keeps_embeddings_float() -> None:
    quantized = Q.quantize_dynamic(nn.Sequential(table(), nn.Linear(5, 2)))
    assert type(quantized[0]) is nn.Embedding


def four_bits(module: nn.Module) -> nn.Module:
    observer = Q.PerChannelMinMaxObserver.with_args(
        dtype=qrs.quint4x2, qscheme=qrs.per_channel_affine_float_qparams, ch_axis=0
    )
    qconfig = Q.QConfigDynamic(activation=Q.PlaceholderObserver, weight=observer)
    return Q.quantize_dynamic(module, {type(module): qconfig})


@pytest.mark.parametrize("width", [1, 6, 33])
def test_rows_of_four_bits(width: int) -> None:
    layer = table(12, width)
    quantized = four_bits(layer)
    assert quantized.weight().dtype is qrs.quint4x2
    assert quantized.weight().nbytes == (12 * width + 1) // 2
    indices = qrs.tensor([[0, 3, 11], [3, 3, 1]])
    rows = quantized.weight().dequantize().numpy()
    got = quantized(indices).numpy()
    np.testing.assert_allclose(got, rows[indices.numpy()], rtol=1e-5, atol=1e-6)
    bags = four_bits(nn.EmbeddingBag(12, width, mode="sum"))
    rows = bags.weight().dequantize().numpy()
    got = bags(indices).numpy()
    np.testing.assert_allclose(got, rows[indices.numpy()].sum(1), rtol=1e-5, atol=1e-5)
    for other in (copy.deepcopy(bags), pickle.loads(pickle.dumps(bags))):
        assert qrs.equal(other(indices), bags(indices))


@pytest.mark.parametrize("kind", [qrs.int32, qrs.int64, qrs.uint8, qrs.int16], ids=str)
def test_all_types_of_indices(kind: qrs.dtype) -> None:
    bags, rows = make(nn.EmbeddingBag(12, 5, mode="sum")), make(table())
    indices, offsets = qrs.tensor([1, 3, 11]), qrs.tensor([0, 1])
    assert qrs.equal(rows(indices.to(kind)), rows(indices))
    assert qrs.equal(bags(indices.to(kind), offsets), bags(indices, offsets))
    assert qrs.equal(bags(indices, offsets.to(kind)), bags(indices, offsets))


def test_bags_that_do_not_fit() -> None:
    bags = make(nn.EmbeddingBag(12, 5, mode="mean"))
    indices = qrs.tensor([1, 3, 11])
    for offsets in ([1, 2], [0, 4], [0, 2, 1], [-1, 2]):
        with pytest.raises(ValueError, match=r"offset|bags end"):
            bags(indices, qrs.tensor(offsets))
    with pytest.raises(ShapeError, match="without offsets"):
        bags(indices)
    with pytest.raises(ShapeError, match="with offsets"):
        bags(qrs.tensor([[1, 3]]), qrs.tensor([0]))
    with pytest.raises(DtypeError, match="offsets of"):
        bags(indices, qrs.tensor([0.0]))
    with pytest.raises(ShapeError, match="mode 'mean'"):
        bags(qrs.tensor([[1, 3]]), per_sample_weights=qrs.ones(1, 2))
    last = make(nn.EmbeddingBag(12, 5, include_last_offset=True))
    with pytest.raises(ShapeError, match="end of the last bag"):
        last(indices, qrs.tensor([-1]))
    with pytest.raises(ValueError, match="padding_idx 12"):
        nnq.EmbeddingBag(12, 5, padding_idx=12)


def test_a_last_bag_can_end_before_the_indices_do() -> None:
    bags = make(nn.EmbeddingBag(12, 5, mode="sum", include_last_offset=True))
    indices = qrs.tensor([1, 3, 11, 4])
    got = bags(indices, qrs.tensor([0, 2, 3])).numpy()
    rows = make_rows(bags, [1, 3, 11])
    np.testing.assert_allclose(got, [rows[0] + rows[1], rows[2]], rtol=1e-5, atol=1e-6)

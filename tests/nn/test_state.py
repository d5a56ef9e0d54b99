"""State dicts: content, loading, and what a mismatch says."""

from collections import OrderedDict

import numpy as np
import pytest

import qrs
from qrs import nn


def model():
    return nn.Sequential(OrderedDict(fc=nn.Linear(2, 3), norm=nn.BatchNorm1d(3)))


def test_state_dict_has_pytorch_names_order_and_versions():
    state = model().state_dict()
    assert list(state) == [
        "fc.weight",
        "fc.bias",
        "norm.weight",
        "norm.bias",
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
    ]
    assert state._metadata["norm"] == {"version": 2}
    assert state._metadata[""] == {"version": 1}


def test_entries_share_memory_but_no_graph():
    layer = nn.Linear(2, 2)
    entry = layer.state_dict()["weight"]
    assert not entry.requires_grad
    entry.zero_()
    assert float(layer.weight.abs().sum()) == 0
    assert layer.state_dict(keep_vars=True)["weight"] is layer.weight


def test_destination_is_filled():
    into = OrderedDict()
    assert nn.Linear(1, 1).state_dict(into, "a.") is into
    assert list(into) == ["a.weight", "a.bias"]


def test_non_persistent_buffer_and_empty_parameter_are_left_out():
    module = nn.Linear(1, 1, bias=False)
    module.register_buffer("cache", qrs.zeros(1), persistent=False)
    assert list(module.state_dict()) == ["weight"]
    assert module.load_state_dict(module.state_dict()) == ([], [])


def test_load_copies_values_and_keeps_the_parameters():
    source, target = model(), model()
    source(qrs.randn(8, 2))
    kept = target.fc.weight
    result = target.load_state_dict(source.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    assert target.fc.weight is kept
    for key, value in source.state_dict().items():
        assert qrs.equal(value, target.state_dict()[key])
    source.fc.weight.data.zero_()
    assert float(kept.abs().sum()) > 0


def test_arrays_are_accepted_and_converted_to_the_own_dtype():
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": np.array([[1.5, 2.0]]), "bias": np.zeros(1, np.float16)})
    assert layer.weight.tolist() == [[1.5, 2.0]]
    assert layer.weight.dtype is qrs.float32


class Foreign:
    """A tensor of another library that exports its memory."""

    def __init__(self, array):
        self.array, self.shape = array, array.shape

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_tensors_of_other_libraries_are_accepted():
    source, target = model(), model()
    state = source.state_dict()
    target.load_state_dict({key: Foreign(value.numpy()) for key, value in state.items()})
    assert all(qrs.equal(value, state[key]) for key, value in target.state_dict().items())
    # The values are copied.
    target.fc.weight.data.zero_()
    assert source.fc.weight.abs().max().item() > 0


def test_a_tensor_that_does_not_export_its_memory_says_how_to_come():
    class Packed(Foreign):
        def __dlpack__(self, **options):
            raise BufferError("no such memory")

    state = dict.fromkeys(model().state_dict(), Packed(np.zeros(2)))
    with pytest.raises(qrs.StateDictError, match=r"a tests\.Packed came.*with torch\.save"):
        model().load_state_dict(state)


def test_error_lists_every_mismatch_with_shapes():
    state = model().state_dict()
    del state["fc.bias"]
    state["fc.weight"] = qrs.zeros(3, 5)
    state["norm.weight"] = "text"
    state["extra.weight"] = qrs.zeros(1)
    with pytest.raises(qrs.StateDictError) as info:
        model().load_state_dict(state)
    text = str(info.value)
    assert "missing: 'fc.bias'" in text
    assert "no place for: 'extra.weight'" in text
    assert "fc.weight: shape (3, 5) came, expected (3, 2)" in text
    assert "norm.weight: a str came, expected a Parameter" in text
    assert isinstance(info.value, RuntimeError)


def test_without_strict_the_mismatches_are_returned():
    state = model().state_dict()
    del state["fc.bias"]
    state["fc.more"] = qrs.zeros(1)
    missing, unexpected = model().load_state_dict(state, strict=False)
    assert (missing, unexpected) == ([], [])
    with pytest.raises(qrs.StateDictError, match=r"no place for: 'fc\.more'"):
        model().load_state_dict(state)


def test_wrong_shape_is_an_error_even_without_strict():
    with pytest.raises(qrs.StateDictError, match="shape"):
        nn.Linear(2, 1).load_state_dict({"weight": qrs.zeros(2, 2)}, strict=False)


def test_anything_but_a_mapping_is_refused():
    with pytest.raises(qrs.StateDictError, match=r"read files with qrs\.load"):
        nn.Linear(1, 1).load_state_dict("model.pt")


def test_scalar_saved_with_one_dimension_is_read():
    module = nn.Module()
    module.register_buffer("scale", qrs.tensor(1.0))
    module.load_state_dict({"scale": qrs.tensor([2.5])})
    assert module.scale.item() == 2.5


def test_old_batch_norm_without_counter_is_read():
    state = nn.BatchNorm1d(2).state_dict()
    del state["num_batches_tracked"]
    state._metadata[""]["version"] = 1
    layer = nn.BatchNorm1d(2)
    assert layer.load_state_dict(state) == ([], [])
    assert layer.num_batches_tracked.item() == 0


def fused(*, train=False):
    bare = nn.Sequential(OrderedDict(fc=nn.Linear(2, 3), relu=nn.ReLU(), norm=nn.BatchNorm1d(3)))
    return qrs.quantization.fuse_modules(bare.train(train), ["fc", "relu"])


def norms():
    qconfig = qrs.quantization.default_qconfig
    layers = [nn.Conv2d(2, 2, 1, bias=False), nn.BatchNorm2d(2)] * 2
    net = nn.Sequential(qrs.quantization.QuantStub(), *layers).eval()
    net.qconfig = qconfig
    return net


def folded():
    return qrs.quantization.fuse_modules(norms(), [["1", "2"]])


def static(net):
    prepared = qrs.quantization.prepare(net)
    prepared(qrs.ones(1, 2, 3, 3))
    return qrs.quantization.convert(prepared)


def small(net):
    return qrs.quantization.quantize_dynamic(net)


def parallel(prefix):
    return {prefix + name: value for name, value in model().state_dict().items()}


@pytest.mark.parametrize(
    ("target", "state", "hint"),
    [
        (model(), parallel("module."), r"load \{k\.removeprefix\('module\.'\): v for"),
        (model(), parallel("_orig_mod."), r"load \{k\.removeprefix\('_orig_mod\.'\): v for"),
        (nn.Sequential(OrderedDict(body=model())), model().state_dict(), "of 'body' alone"),
        (fused(), model().state_dict(), "this model is fused, .* load before you fuse"),
        (model(), fused().state_dict(), "of a fused model: fuse this one"),
        (folded(), norms().state_dict(), "this model is fused, .* load before you fuse"),
        (norms(), folded().state_dict(), "of a fused model: fuse this one"),
        (static(folded()), static(norms()).state_dict(), "fused, .* make this one without fuse"),
        (static(norms()), static(folded()).state_dict(), "of a fused model: fuse this one"),
        (small(model()), fused().state_dict(), "this model is converted, .* before you prepare"),
        (fused(), small(model()).state_dict(), "of a quantized model: prepare and convert this"),
        (
            model(),
            {"optimizer": {"state": {}}, "model": model().state_dict()},
            r"load state_dict\['model'\]",
        ),
    ],
)
def test_the_usual_reasons_are_named(target, state, hint):
    with pytest.raises(qrs.StateDictError, match=hint) as info:
        target.load_state_dict(state)
    assert len(str(info.value).splitlines()) <= 5


def test_observers_in_a_state_dict_are_named():
    source = model().eval()
    source.qconfig = qrs.quantization.default_qconfig
    state = qrs.quantization.prepare(source).state_dict()
    with pytest.raises(qrs.StateDictError, match="of a prepared model: prepare this one"):
        model().load_state_dict(state)
    with pytest.raises(qrs.StateDictError, match=r"this model is prepared, .* before you prepare$"):
        qrs.quantization.prepare(source).load_state_dict(model().state_dict())


def test_other_reasons_give_no_hint():
    state = model().state_dict()
    del state["fc.bias"]
    with pytest.raises(qrs.StateDictError, match=r"missing: 'fc\.bias'$"):
        model().load_state_dict(state)

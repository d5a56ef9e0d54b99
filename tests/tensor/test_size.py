import pickle

import pytest

import qrs


def test_size_is_a_tuple_with_numel():
    size = qrs.zeros(2, 3).shape
    assert size == (2, 3)
    assert size.numel() == 6
    assert qrs.Size(()).numel() == 1
    assert repr(size) == "qrs.Size([2, 3])"
    batch, features = size
    assert (batch, features) == (2, 3)


def test_slices_and_sums_of_sizes_are_sizes():
    size = qrs.Size((2, 3, 4))
    assert isinstance(size[1:], qrs.Size)
    assert size[1:].numel() == 12
    assert size[0] == 2
    assert isinstance(size + size, qrs.Size)
    assert pickle.loads(pickle.dumps(size)) == size


def test_device_is_the_cpu():
    device = qrs.zeros(1).device
    assert device == qrs.device("cpu") == qrs.device("cpu:0") == qrs.device(device)
    assert (device.type, device.index, str(device)) == ("cpu", None, "cpu")
    assert device != "gpu"
    assert len({device, qrs.device("cpu")}) == 1


def test_other_devices_are_refused():
    with pytest.raises(ValueError, match="'cuda:0' came, only 'cpu' exists"):
        qrs.device("cuda:0")


def test_memory_formats_print_their_names():
    assert repr(qrs.channels_last) == "qrs.channels_last"
    assert qrs.channels_last != qrs.contiguous_format

"""Quantization-aware training, four steps and conversion, against PyTorch 1.8.1."""

import functools

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.nn import quantized as nnq

from .cases import Case, load

CASES: dict[str, Case] = {c.args["backend"]: c for c in load("workflows") if c.op == "qat"}


class Net(nn.Module):
    """The net of the measurements; see README.md."""

    def __init__(self) -> None:
        super().__init__()
        self.quant = Q.QuantStub()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.bn2 = nn.BatchNorm2d(8)
        self.ff = nnq.FloatFunctional()
        self.relu2 = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.fc = nn.Linear(32, 10)
        self.relu3 = nn.ReLU()
        self.dequant = Q.DeQuantStub()

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        x = self.relu1(self.bn1(self.conv1(self.quant(x))))
        x = self.relu2(self.ff.add(x, self.bn2(self.conv2(x))))
        x = self.pool(x)
        return self.dequant(self.relu3(self.fc(x.reshape(x.shape[0], -1))))


# Kernels of fbgemm ran in both, with the qconfigs of either backend; see README.md.
@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qrs.backends.quantized, "engine", "fbgemm")


@functools.cache
def trained(backend: str) -> tuple[nn.Module, list[float]]:
    """The model after its four steps, observers off, and the loss of each step."""
    case = CASES[backend]
    model = Net()
    model.load_state_dict({k[2:]: v for k, v in case.inputs.items() if k.startswith("p:")})
    model.train()
    model.qconfig = Q.get_default_qat_qconfig(backend)
    model = Q.prepare_qat(Q.fuse_modules(model, case.args["fuse"]))
    optimizer = qrs.optim.SGD(model.parameters(), lr=case.args["lr"])
    losses = []
    for step in range(4):
        if step == case.args["freeze_bn_at_step"]:
            model.apply(nn.intrinsic.qat.freeze_bn_stats)
        optimizer.zero_grad()
        output = model(qrs.from_numpy(case.inputs[f"x{step}"]))
        loss = nn.functional.cross_entropy(output, qrs.from_numpy(case.inputs[f"t{step}"]))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.apply(Q.disable_observer)
    return model.eval(), losses


@pytest.mark.parametrize("backend", CASES)
class TestQat:
    def test_losses(self, backend: str) -> None:
        expected = CASES[backend].outputs["losses"]
        np.testing.assert_allclose(trained(backend)[1], expected, rtol=1e-6)

    def test_state_after_training(self, backend: str) -> None:
        state = trained(backend)[0].state_dict()
        outputs = CASES[backend].outputs.items()
        expected = {name[6:]: value for name, value in outputs if name.startswith("final:")}
        assert list(state) == list(expected)
        for name, value in expected.items():
            got = state[name].numpy().reshape(value.shape)
            if value.dtype.kind in "iu":
                assert np.array_equal(got, value), name
            else:
                largest = np.abs(value).max()
                np.testing.assert_allclose(got, value, rtol=0, atol=1e-4 * largest, err_msg=name)

    def test_fake_quantized_output(self, backend: str) -> None:
        case = CASES[backend]
        output = trained(backend)[0](qrs.from_numpy(case.inputs["xt"]))
        expected = case.outputs["y_fake_quant"]
        np.testing.assert_allclose(output.detach().numpy(), expected, rtol=1e-6, atol=1e-7)

    def test_converted_output(self, backend: str) -> None:
        case = CASES[backend]
        converted = Q.convert(trained(backend)[0])
        output = converted(qrs.from_numpy(case.inputs["xt"]))
        np.testing.assert_allclose(output.numpy(), case.outputs["y"], rtol=1e-6, atol=1e-7)

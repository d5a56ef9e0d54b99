"""The examples of PyTorch's quantization page run with one line changed: `import qrs as torch`."""

from types import SimpleNamespace

DYNAMIC = """
import qrs as torch
# define a floating point model
class M(torch.nn.Module):
    def __init__(self):
        super(M, self).__init__()
        self.fc = torch.nn.Linear(4, 4)
    def forward(self, x):
        x = self.fc(x)
        return x
# create a model instance
model_fp32 = M()
# create a quantized model instance
model_int8 = torch.quantization.quantize_dynamic(
    model_fp32,  # the original model
    {torch.nn.Linear},  # a set of layers to dynamically quantize
    dtype=torch.qint8)  # the target dtype for quantized weights
# run the model
input_fp32 = torch.randn(4, 4, 4, 4)
res = model_int8(input_fp32)
"""


def run(text: str) -> SimpleNamespace:
    names: dict[str, object] = {"__name__": "page"}
    exec(compile(text, "page", "exec"), names)
    return SimpleNamespace(**names)


def test_dynamic_quantization() -> None:
    names = run(DYNAMIC)
    assert repr(names.model_int8.fc).startswith("DynamicQuantizedLinear(")
    difference = (names.res - names.model_fp32(names.input_fp32)).abs().max().item()
    assert names.res.shape == (4, 4, 4, 4)
    assert difference < 0.05

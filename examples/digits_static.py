"""Static quantization of a small CNN: fuse, prepare, calibrate, convert, and compare with float.

Run it with ``python examples/digits_static.py`` where qrs is installed.
"""

import tempfile
import time
from pathlib import Path

from digits_cnn import DigitsCNN, accuracy, load_data, load_model

import qrs
from qrs import quantization as Q


def quantize(model: DigitsCNN, images: qrs.Tensor, qconfig: Q.QConfig | None = None) -> DigitsCNN:
    """The model in int8; the images show what ranges its activations have."""
    model.qconfig = qconfig or Q.get_default_qconfig()
    fused = Q.fuse_modules(model, "auto", example_inputs=images[:1])
    prepared = Q.prepare(fused)
    Q.calibrate(prepared, images.split(50))
    return Q.convert(prepared)


def milliseconds(model: DigitsCNN, images: qrs.Tensor) -> float:
    """The shortest of some runs."""
    times = []
    with qrs.no_grad():
        for _ in range(10):
            start = time.perf_counter()
            model(images)
            times.append(time.perf_counter() - start)
    return 1000 * min(times)


def kilobytes(model: DigitsCNN) -> float:
    """Size of the saved state."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        qrs.save(model.state_dict(), path)
        return path.stat().st_size / 1000


def main() -> dict[str, dict[str, float]]:
    """Print and return the accuracy, size and time of both models."""
    (training, _), (images, labels) = load_data()
    model = load_model()
    models = {"float": model, "int8": quantize(model, training[:300])}
    results = {}
    print(f"{'':6}{'right %':>9}{'kB':>7}{'ms for ' + str(len(images)):>12}")
    for name, each in models.items():
        results[name] = {
            "accuracy": accuracy(each, images, labels),
            "kilobytes": kilobytes(each),
            "milliseconds": milliseconds(each, images),
        }
        right, size, duration = results[name].values()
        print(f"{name:6}{right:9.2f}{size:7.0f}{duration:12.2f}")
    return results


if __name__ == "__main__":
    main()

"""Quantization-aware training of a small CNN: what it gives back that static quantization lost.

Run it with ``python examples/digits_qat.py`` where qrs is installed; ``--passes 1`` is quicker.
"""

import argparse
import copy
import math
from dataclasses import dataclass

import numpy as np
from digits_cnn import DigitsCNN, load_data, load_model
from digits_static import quantize
from progress import Progress

import qrs
from qrs import nn
from qrs import quantization as Q

BATCH = 50
LR = 2e-3
BITS = (8, 4, 3, 2)


def qconfig(defaults: Q.QConfig, bits: int) -> Q.QConfig:
    """The default observers of activations, which stay at 8 bits, and weights of some bits."""
    return Q.QConfig(activation=defaults.activation, weight=Q.per_channel_weight_fake_quant(bits))


def train(model: DigitsCNN, images: qrs.Tensor, labels: qrs.Tensor, passes: int, name: str) -> None:
    """Train a prepared model; in the last quarter the statistics of its norms are fixed."""
    steps = passes * len(images) // BATCH
    optimizer = qrs.optim.AdamW(model.named_parameters(), lr=LR)
    schedule = qrs.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    rng, progress = np.random.default_rng(0), Progress(name, steps)
    for step in range(steps):
        if step * BATCH % len(images) == 0:
            order = rng.permutation(len(images))
        if step == steps * 3 // 4:
            model.apply(nn.intrinsic.qat.freeze_bn_stats)
        batch = qrs.tensor(order[np.arange(BATCH) + step * BATCH % len(images)])
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        schedule.step()
        progress.tell(f"loss {loss.item():.4f}")


def quantize_aware(
    model: DigitsCNN, images: qrs.Tensor, labels: qrs.Tensor, bits: int, passes: int
) -> DigitsCNN:
    """A copy of the model, trained with rounded values and then converted to int8."""
    model = Q.fuse_modules(copy.deepcopy(model).train(), model.FUSE)
    model.qconfig = qconfig(Q.get_default_qat_qconfig(), bits)
    prepared = Q.prepare_qat(model)
    train(prepared, images, labels, passes, f"QAT, {bits} bits")
    return Q.convert(prepared.eval().apply(Q.disable_observer))


def right(model: DigitsCNN, images: qrs.Tensor, labels: qrs.Tensor) -> np.ndarray:
    """Which images the model reads rightly."""
    with qrs.no_grad():
        return (model(images).argmax(1) == labels).numpy()


def percent(flags: np.ndarray) -> float:
    """How many of the flags are set."""
    return 100 * float(flags.mean())


@dataclass
class Difference:
    """How much better one model is than another on the same images, in percentage points."""

    points: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.points:+6.2f} [{self.low:+.2f}, {self.high:+.2f}]"


def compare(new: np.ndarray, old: np.ndarray) -> Difference:
    """The difference in accuracy with its 95 % confidence interval, over pairs.

    Only images that one model reads and the other does not say anything about the difference. With
    b and c of them, half a count added to each of the four cells: Agresti and Min 2005, "Simple
    improved confidence intervals for comparing matched proportions", Statistics in Medicine 24.
    Unlike a bootstrap it does not claim certainty where two models agree everywhere.
    """
    won, lost = int((new & ~old).sum()), int((old & ~new).sum())
    b, c, n = won + 0.5, lost + 0.5, len(new) + 2
    middle, spread = (b - c) / n, 1.96 * math.sqrt(b + c - (b - c) ** 2 / n) / n
    points = 100 * np.array([(won - lost) / len(new), middle - spread, middle + spread])
    return Difference(*points.tolist())


@dataclass
class Row:
    """One line of the table; differences are to the float model and to static quantization."""

    accuracy: float
    to_float: Difference
    to_static: Difference | None = None


def measure(passes: int) -> dict[str, Row]:
    """Make every model and read the test images with it."""
    training, test = load_data()
    model = load_model()
    wanted = right(model, *test)
    rows = {"float": Row(percent(wanted), compare(wanted, wanted))}
    dynamic = right(Q.quantize_dynamic(model), *test)
    rows["dynamic, 8 bits"] = Row(percent(dynamic), compare(dynamic, wanted))
    for bits in BITS:
        settings = qconfig(Q.get_default_qconfig(), bits)
        static = right(quantize(model, training[0][:300], settings), *test)
        rows[f"static, {bits} bits"] = Row(percent(static), compare(static, wanted))
        aware = right(quantize_aware(model, *training, bits, passes), *test)
        rows[f"QAT, {bits} bits"] = Row(
            percent(aware), compare(aware, wanted), compare(aware, static)
        )
    return rows


def main(arguments: list[str] | None = None) -> dict[str, Row]:
    """Print and return the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passes", type=int, default=4, help="over the training images")
    rows = measure(parser.parse_args(arguments).passes)
    test = len(load_data()[1][1])
    print(f"\n{test} images that no model was trained on; differences with 95 % intervals")
    print(f"{'weights':16}{'right %':>8}  {'to float':23}to static quantization")
    for name, row in rows.items():
        differences = f"{row.to_float!s:23}{row.to_static or ''}" if name != "float" else ""
        print(f"{name:16}{row.accuracy:8.2f}  {differences}".rstrip())
    return rows


if __name__ == "__main__":
    main()

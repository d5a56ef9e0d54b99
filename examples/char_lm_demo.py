"""A trained LSTM language model in float and in int8: size, accuracy, speed, and what it writes.

Run it with ``make demo``, or ``python examples/char_lm_demo.py`` where qrs is installed. The model
and the text, which it was not trained on, are in ``examples/char_lm``.
"""

import math
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import qrs
from qrs import nn

FOLDER = Path(__file__).parent / "char_lm"
STREAMS, LENGTH = 40, 1000
ENGINES = ("qrs", "fbgemm")


class CharLM(nn.Module):
    """Scores of the next character, for each character of a time-major batch."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(96, 64)
        self.lstm = nn.LSTM(64, 192, num_layers=2)
        self.fc = nn.Linear(192, 96)

    def forward(self, ids, state=None):
        out, state = self.lstm(self.embed(ids), state)
        return self.fc(out), state


def load() -> tuple[CharLM, str]:
    """The trained model, and its characters in the order of their numbers.

    The weights are there twice, as PyTorch saved them and as safetensors; both must say the same.
    """
    weights = qrs.load(FOLDER / "char_lm.safetensors")
    pickled = qrs.load(FOLDER / "char_lm.pt")
    same = (qrs.equal(weights[name], pickled[name]) for name in weights)
    if weights.keys() != pickled.keys() or not all(same):
        raise SystemExit("char_lm.pt and char_lm.safetensors differ: fetch them again")
    model = CharLM()
    model.load_state_dict(weights)
    return model.eval(), qrs.io.read_metadata(FOLDER / "char_lm.safetensors")["chars"]


def quantize(model: CharLM, engine: str) -> CharLM:
    """The model with int8 weights in its LSTM and its last layer; the embedding stays float."""
    before = qrs.backends.quantized.engine
    qrs.backends.quantized.engine = engine
    try:
        return qrs.quantization.quantize_dynamic(model, {nn.LSTM, nn.Linear}, dtype=qrs.qint8)
    finally:
        qrs.backends.quantized.engine = before


def encode(text: str, chars: str) -> np.ndarray:
    """Numbers of the characters; one that the model does not know counts as a question mark."""
    return np.array([chars.index(char if char in chars else "?") for char in text])


def bits_per_character(model: CharLM, ids: np.ndarray, steps: int = 111):
    """Yield the fraction done and the cost of each next character so far, in bits.

    The rows of ids are read side by side from a zero state; their first characters cost nothing.
    """
    total, state, length = 0.0, None, ids.shape[1] - 1
    for start in range(0, length, steps):
        end = min(start + steps, length)
        wanted = qrs.tensor(ids[:, start + 1 : end + 1].T.reshape(-1))
        with qrs.no_grad():
            scores, state = model(qrs.tensor(ids[:, start:end].T), state)
            loss = nn.functional.cross_entropy(scores.flatten(0, 1), wanted, reduction="sum")
        total += loss.item() / math.log(2)
        yield end / length, total / (end * len(ids))


def milliseconds(model: CharLM, ids: np.ndarray, rounds: int = 5) -> float:
    """The best time to read one stream of characters, batch 1, one call."""
    stream = qrs.tensor(ids.reshape(-1, 1))
    times = []
    with qrs.no_grad():
        for _ in range(rounds):
            start = time.perf_counter()
            model(stream)
            times.append(time.perf_counter() - start)
    return 1000 * min(times)


def write(model: CharLM, chars: str, prompt: str, length: int, seed: int = 6) -> str:
    """Text that the model goes on with, drawn from its own scores at temperature 0.6.

    All models get the same random numbers, so their texts part only where their scores do.
    """
    random = np.random.default_rng(seed)
    text = prompt
    with qrs.no_grad():
        scores, state = model(qrs.tensor(encode(prompt, chars).reshape(-1, 1)))
        for _ in range(length):
            chances = nn.functional.softmax(scores[-1, 0] / 0.6, 0).numpy().cumsum()
            text += chars[min(int(chances.searchsorted(random.random())), len(chars) - 1)]
            scores, state = model(qrs.tensor(encode(text[-1], chars).reshape(1, 1)), state)
    return text


def file_size(model: CharLM) -> int:
    """Bytes of the saved model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        qrs.save(model.state_dict(), path)
        return path.stat().st_size


@dataclass
class Result:
    """One row of the table."""

    name: str
    size: int
    bits: float
    milliseconds: float
    text: str


def measure(name: str, model: CharLM, chars: str, ids: np.ndarray) -> Result:
    """Measure a model, showing how far it is."""
    start, bits = time.perf_counter(), math.nan
    for i, (done, bits) in enumerate(bits_per_character(model, ids), 1):
        left = (time.perf_counter() - start) * (1 - done) / done
        line = f"  {name:12} {done:4.0%} read, {bits:.4f} bits per character"
        if sys.stdout.isatty():
            print(f"\r{line}, {left:3.0f} s left ", end="\n" if done == 1 else "", flush=True)
        elif i % 3 == 0:
            print(line, flush=True)
    text = write(model, chars, "Return ", 70).replace("\n", " ")
    return Result(name, file_size(model), bits, milliseconds(model, ids[0]), text)


def main() -> list[Result]:
    """Load, quantize, measure, print."""
    model, chars = load()
    print("char_lm.pt and char_lm.safetensors hold the same model")
    text = (FOLDER / "heldout.txt").read_text(encoding="utf-8")
    ids = encode(text[: STREAMS * LENGTH], chars).reshape(STREAMS, LENGTH)
    models = {"float": model} | {f"int8 {engine}": quantize(model, engine) for engine in ENGINES}
    results = [measure(name, one, chars, ids) for name, one in models.items()]
    threads, level = qrs.get_num_threads(), qrs.backends.cpu.get_cpu_capability()
    print(f"\n{STREAMS} texts of {LENGTH} characters; {threads} threads, {level}")
    print(f"{'':12} {'file':>11} {'bits per character':>19} {'ms per 1000 characters':>23}")
    for row in results:
        print(f"{row.name:12} {row.size:11,} {row.bits:19.4f} {row.milliseconds:23.1f}")
    print()
    for row in results:
        print(f"{row.name:12} {row.text}")
    return results


if __name__ == "__main__":
    main()

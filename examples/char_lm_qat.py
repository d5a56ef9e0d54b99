"""A trained LSTM language model with weights of four bits, before and after a short training.

Run it with ``OPENBLAS_NUM_THREADS=1 python examples/char_lm_qat.py`` where qrs is installed, a
minute; ``--passes 1`` is quicker. With more threads NumPy's products, small ones, are a sixth
faster on an idle machine and several times slower on a busy one, since its threads wait for each
other without letting go of the CPU.

The text is the one that the float model was not trained on. The first 30 of its 40 pieces are for
training here, the last 10 for measuring, so no model has seen the text that it is measured on. The
model with rounded weights is trained to give the scores of the float model, not the characters of
the text: 30,000 characters are enough to learn the one, and far too few for the other.
"""

import argparse
import copy
import math

import numpy as np
from char_lm_demo import FOLDER, LENGTH, STREAMS, CharLM, bits_per_character, encode, load, quantize
from progress import Progress

import qrs
from qrs import nn
from qrs import quantization as Q

TRAINING = 30
BITS = 4
STEPS = 111  # characters of each piece in one step of training
LR = 1e-3


def prepare(model: CharLM) -> CharLM:
    """A copy whose LSTM and last layer round their weights to few bits, and their inputs to 8."""
    model = copy.deepcopy(model).train()
    weight = Q.per_channel_weight_fake_quant(BITS)
    model.lstm.qconfig = model.fc.qconfig = Q.QConfigDynamic(weight=weight)
    return Q.prepare_qat(model, Q.get_default_qat_dynamic_module_mappings())


def train(model: CharLM, teacher: CharLM, ids: np.ndarray, passes: int) -> None:
    """Train a prepared model to give the scores that the teacher gives."""
    starts = range(0, ids.shape[1] - 1, STEPS)
    optimizer = qrs.optim.Adam(model.named_parameters(), lr=LR)
    schedule = qrs.optim.lr_scheduler.CosineAnnealingLR(optimizer, passes * len(starts))
    progress = Progress(f"QAT, {BITS} bits", passes * len(starts))
    for _ in range(passes):
        state = wanted_state = None
        for start in starts:
            text = qrs.tensor(ids[:, start : start + STEPS].T)
            with qrs.no_grad():
                wanted, wanted_state = teacher(text, wanted_state)
                chances = wanted.flatten(0, 1).softmax(1)
            scores, state = model(text, state)
            state = tuple(part.detach() for part in state)
            loss = nn.functional.cross_entropy(scores.flatten(0, 1), chances)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            progress.tell(f"{loss.item() / math.log(2):.4f} bits to the float model's scores")


def measure(model: CharLM, ids: np.ndarray) -> float:
    """Bits per character."""
    return list(bits_per_character(model, ids))[-1][1]


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Print and return the bits per character of every model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passes", type=int, default=12, help="over the text for training")
    passes = parser.parse_args(arguments).passes
    model, chars = load()
    text = (FOLDER / "heldout.txt").read_text(encoding="utf-8")
    ids = encode(text[: STREAMS * LENGTH], chars).reshape(STREAMS, LENGTH)
    training, test = ids[:TRAINING], ids[TRAINING:]
    prepared = prepare(model)
    with qrs.no_grad():
        prepared(qrs.tensor(training[:1, :1]))  # shows the weights to their observers
    before = Q.convert(copy.deepcopy(prepared).eval())
    train(prepared, model, training, passes)
    models = {
        "float": model,
        "8 bits": quantize(model, "qrs"),
        f"{BITS} bits, not trained": before,
        f"{BITS} bits, trained": Q.convert(prepared.eval()),
    }
    results = {name: measure(one, test) for name, one in models.items()}
    print(f"\n{len(test)} texts of {LENGTH} characters that no model was trained on")
    print(f"{'weights':20} bits per character")
    for name, bits in results.items():
        print(f"{name:20} {bits:18.4f}")
    return results


if __name__ == "__main__":
    main()

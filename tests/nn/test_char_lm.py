"""A trained language model gives the bits per character that PyTorch gave."""

import math
import pathlib

import numpy as np
from safetensors import safe_open

import qrs
from qrs import nn

FOLDER = pathlib.Path(__file__).parents[2] / "examples" / "char_lm"


class CharLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(96, 64)
        self.lstm = nn.LSTM(64, 192, num_layers=2)
        self.fc = nn.Linear(192, 96)

    def forward(self, x):
        return self.fc(self.lstm(self.embed(x))[0])


def test_bits_per_character_on_held_out_text():
    model = CharLM().eval()
    with safe_open(FOLDER / "char_lm.safetensors", "np") as file:
        chars = file.metadata()["chars"]
        model.load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
    numbers = {char: i for i, char in enumerate(chars)}
    text = (FOLDER / "heldout.txt").read_text(encoding="utf-8")
    ids = np.array([numbers.get(char, numbers["?"]) for char in text])
    streams = qrs.from_numpy(ids[:40_000].reshape(40, 1000).T.copy())
    with qrs.no_grad():
        scores = model(streams[:-1])
        loss = nn.functional.cross_entropy(scores.reshape(-1, 96), streams[1:].reshape(-1))
    assert round(loss.item() / math.log(2), 4) == 1.8583

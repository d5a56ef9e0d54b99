"""Write float_layers.json: what PyTorch gives for the cases of float_cases.py.

Run it from the root of the repository with PyTorch installed:
``python -m tests.nn.golden.make_float_layers``. The tests only read the file.
"""

import json
import pathlib

import torch  # noqa: TID251
from tests.nn.float_cases import CASES, label, run

SHORT = (",", ":")


def _assign(parameter, array):
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(array))


def main():
    found = {}
    for case in CASES:
        found[label(case)] = run(
            torch.nn, torch.tensor, lambda t: t.detach().numpy(), _assign, case
        )
    if len(found) != len(CASES):
        raise SystemExit("two cases have one label")
    lines = [
        f"{json.dumps(name)}: {json.dumps(_rounded(results), separators=SHORT)}"
        for name, results in found.items()
    ]
    head = f'{{"torch": "{torch.__version__}", "cases": {{'
    text = "\n".join([head, ",\n".join(lines), "}}", ""])
    pathlib.Path(__file__).with_name("float_layers.json").write_text(text)


def _rounded(results):
    return {
        key: [shape, *(float(f"{number:.6g}") for number in numbers)]
        for key, (shape, *numbers) in results.items()
    }


if __name__ == "__main__":
    main()

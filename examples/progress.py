"""How far an example is: a line that is written over on a terminal, four lines elsewhere."""

import sys
import time


class Progress:
    """Shows the steps of one task; ``tell`` is called after each."""

    def __init__(self, name: str, steps: int) -> None:
        self.name, self.steps, self.done = name, steps, 0
        self.start = time.perf_counter()

    def tell(self, news: str) -> None:
        """One more step is done."""
        self.done += 1
        left = (time.perf_counter() - self.start) * (self.steps - self.done) / self.done
        line = f"  {self.name:14} {self.done / self.steps:4.0%}, {news}, {left:3.0f} s left"
        if sys.stdout.isatty():
            print(f"\r{line} ", end="\n" if self.done == self.steps else "", flush=True)
        elif self.done * 4 % self.steps < 4:
            print(line, flush=True)

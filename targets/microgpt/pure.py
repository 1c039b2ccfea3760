"""A GPT in the standard library alone: automatic differentiation, attention, Adam, sampling. A text to read.

Every number is a node that remembers which numbers it came from and the local slopes towards them. The forward pass
builds that graph, the chain rule walks it backwards. `train.py` is the same mathematics on whole arrays, some
thousands of times faster; here each step is one line that can be followed by hand. Characters, one layer, width 16.

    python pure.py [steps]
"""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

CONTEXT = 12  # characters the model looks at
WIDTH = 16
HEADS = 2
LAYERS = 1
LEARNING_RATE = 1e-2


class Value:
    """A number, and how to pass blame for it back to the numbers it was made from."""

    __slots__ = ("data", "grad", "parents", "slopes")

    def __init__(self, data: float, parents: tuple[Value, ...] = (), slopes: tuple[float, ...] = ()) -> None:
        self.data, self.grad, self.parents, self.slopes = data, 0.0, parents, slopes

    def __add__(self, other: Value) -> Value:
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Value) -> Value:
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def scale(self, factor: float) -> Value:
        return Value(self.data * factor, (self,), (factor,))

    def power(self, exponent: float) -> Value:
        return Value(self.data**exponent, (self,), (exponent * self.data ** (exponent - 1),))

    def exp(self) -> Value:
        result = math.exp(self.data)
        return Value(result, (self,), (result,))

    def log(self) -> Value:
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def relu(self) -> Value:
        return Value(max(self.data, 0.0), (self,), (float(self.data > 0),))

    def backward(self) -> None:
        """Adds to every `grad` behind this value how much this value changes when that one does."""
        self.grad = 1.0
        for value in reversed(in_order(self)):
            for parent, slope in zip(value.parents, value.slopes, strict=True):
                parent.grad += slope * value.grad


def in_order(end: Value) -> list[Value]:
    """All values behind `end`, each after those it was made from; a stack instead of recursion, for deep graphs."""
    order: list[Value] = []
    seen: set[Value] = set()
    stack = [(end, False)]
    while stack:
        value, done = stack.pop()
        if done:
            order.append(value)
        elif value not in seen:
            seen.add(value)
            stack.append((value, True))
            stack.extend((parent, False) for parent in value.parents)
    return order


Vector = list[Value]
Matrix = list[Vector]


def total(values: Vector) -> Value:
    """The sum as one node."""
    return Value(math.fsum(value.data for value in values), tuple(values), (1.0,) * len(values))


def dot(a: Vector, b: Vector) -> Value:
    """Sum of products as one node, since nearly all the work is here."""
    return Value(
        sum(x.data * y.data for x, y in zip(a, b, strict=True)),
        (*a, *b),
        (*(y.data for y in b), *(x.data for x in a)),
    )


def times(matrix: Matrix, x: Vector) -> Vector:
    return [dot(row, x) for row in matrix]


def plus(a: Vector, b: Vector) -> Vector:
    return [x + y for x, y in zip(a, b, strict=True)]


def norm(x: Vector) -> Vector:
    """RMSNorm: the vector scaled to a root mean square of 1."""
    factor = (dot(x, x).scale(1 / len(x)) + Value(1e-5)).power(-0.5)
    return [value * factor for value in x]


def softmax(logits: Vector) -> Vector:
    """Positive numbers that sum to 1; the largest logit is taken off first, so that no exponential overflows."""
    top = Value(-max(value.data for value in logits))
    powers = [(value + top).exp() for value in logits]
    share = total(powers).power(-1)
    return [power * share for power in powers]


class GPT:
    """The weights, and what they make of a text."""

    def __init__(self, vocab: int, rng: random.Random) -> None:
        def matrix(rows: int, columns: int) -> Matrix:
            return [[Value(rng.gauss(0, 0.1)) for _ in range(columns)] for _ in range(rows)]

        self.embed, self.position, self.head = matrix(vocab, WIDTH), matrix(CONTEXT, WIDTH), matrix(vocab, WIDTH)
        sizes = {"query": (WIDTH, WIDTH), "key": (WIDTH, WIDTH), "value": (WIDTH, WIDTH), "mix": (WIDTH, WIDTH)}
        sizes |= {"up": (4 * WIDTH, WIDTH), "down": (WIDTH, 4 * WIDTH)}
        self.layers = [{name: matrix(*size) for name, size in sizes.items()} for _ in range(LAYERS)]

    def weights(self) -> Vector:
        matrices = [self.embed, self.position, self.head, *(m for layer in self.layers for m in layer.values())]
        return [value for matrix in matrices for row in matrix for value in row]

    def logits(self, tokens: list[int]) -> Matrix:
        """For each of `tokens` (at most CONTEXT), a score for every character that could follow it."""
        stream = [plus(self.embed[token], self.position[i]) for i, token in enumerate(tokens)]
        for layer in self.layers:
            calm = [norm(x) for x in stream]
            queries, keys, values = ([times(layer[name], x) for x in calm] for name in ("query", "key", "value"))
            for t, query in enumerate(queries):  # position t sees positions 0 to t: nothing looks ahead
                mixed = attend(query, keys[: t + 1], values[: t + 1])
                stream[t] = plus(stream[t], times(layer["mix"], mixed))
            for t, x in enumerate(stream):
                hidden = [value.relu() for value in times(layer["up"], norm(x))]
                stream[t] = plus(x, times(layer["down"], hidden))
        return [times(self.head, norm(x)) for x in stream]

    def loss(self, tokens: list[int]) -> Value:
        """Mean surprise, in nats, at each token given those before it."""
        surprises = [
            softmax(scores)[following].log().scale(-1)
            for scores, following in zip(self.logits(tokens[:-1]), tokens[1:], strict=True)
        ]
        return total(surprises).scale(1 / len(surprises))


def attend(query: Vector, keys: Matrix, values: Matrix) -> Vector:
    """Each head weighs the positions by how well their key fits the query, and averages their values so."""
    size = WIDTH // HEADS
    mixed: Vector = []
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        weights = softmax([dot(query[part], key[part]).scale(size**-0.5) for key in keys])
        mixed += [dot(weights, [value[i] for value in values]) for i in range(part.start, part.stop)]
    return mixed


def train(text: str, steps: int, seed: int = 0) -> tuple[GPT, list[float], str]:
    """Trains for `steps` windows of `text`; the model, the loss of each step, and the alphabet."""
    rng, alphabet = random.Random(seed), "".join(sorted(set(text)))
    model = GPT(len(alphabet), rng)
    weights = model.weights()
    mean, square, losses = [0.0] * len(weights), [0.0] * len(weights), []
    for step in range(1, steps + 1):
        start = rng.randrange(len(text) - CONTEXT)
        loss = model.loss([alphabet.index(letter) for letter in text[start : start + CONTEXT + 1]])
        loss.backward()
        losses.append(loss.data)
        for i, weight in enumerate(weights):  # Adam: step along the mean gradient, in units of its usual size
            mean[i] += 0.1 * (weight.grad - mean[i])
            square[i] += 0.01 * (weight.grad**2 - square[i])
            size = math.sqrt(square[i] / (1 - 0.99**step)) + 1e-8
            weight.data -= LEARNING_RATE * mean[i] / (1 - 0.9**step) / size
            weight.grad = 0.0
    return model, losses, alphabet


if __name__ == "__main__":
    book = (Path(__file__).resolve().parent / "data" / "train.txt").read_text(encoding="utf-8")[20_000:60_000]
    model, losses, alphabet = train(book, int(sys.argv[1]) if len(sys.argv) > 1 else 200)
    for i in range(0, len(losses), 20):
        print(f"step {i:4}  loss {sum(losses[i : i + 20]) / len(losses[i : i + 20]):.3f} nats a character")
    said, rng = [alphabet.index(" ")], random.Random(1)
    while len(said) < 80:
        chances = [value.data for value in softmax(model.logits(said[-CONTEXT:])[-1])]
        said += rng.choices(range(len(alphabet)), chances)
    print("".join(alphabet[i] for i in said))

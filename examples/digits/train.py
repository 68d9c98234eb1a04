"""Train a small neural network on scikit-learn's bundled digits, as a training script would that knows nothing of osmo.

It writes into --output:

    checkpoints/step-0005.joblib  the whole model with its optimizer and random state, every --every epochs
    metrics.json                  how good the newest checkpoint's model is
    train.log                     one line an epoch
    weights.npz                   at the end: what was learned

If there are checkpoints already, it goes on from the newest, and ends with the same weights, bit for bit, as if it had
never stopped.
"""

import argparse
import io
import json
import os
import time
from pathlib import Path
from typing import Any

import joblib
import numpy
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

SEED = 7


def main() -> None:
    options = arguments()
    images, digits = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(images / 16, digits, test_size=0.25, random_state=SEED)
    checkpoints = options.output / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)

    epoch, model = newest(checkpoints)
    forget_after(epoch, options.output / "train.log")
    print(f"going on after epoch {epoch}" if epoch else "starting from nothing", flush=True)
    while epoch < options.epochs:
        epoch += 1
        model.partial_fit(train_x, train_y, classes=range(10))
        metrics = {"epoch": epoch, "loss": float(model.loss_), "accuracy": float(model.score(test_x, test_y))}
        line = f"epoch {epoch:4d}  loss {metrics['loss']:.4f}  accuracy {metrics['accuracy']:.4f}"
        with (options.output / "train.log").open("a") as log:
            log.write(line + "\n")
        if epoch % options.every == 0 or epoch == options.epochs:
            print(line, flush=True)
            replace(options.output / "metrics.json", json.dumps(metrics).encode())
            save(checkpoints / f"step-{epoch:04d}.joblib", {"epoch": epoch, "model": model})
        time.sleep(options.pause)
    replace(options.output / "weights.npz", weights(model))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train on the digits, go on from the newest checkpoint.")
    parser.add_argument("--output", type=Path, required=True, help="the folder for everything that is written")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--every", type=int, default=5, metavar="EPOCHS", help="epochs from one checkpoint to the next")
    parser.add_argument("--pause", type=float, default=0.0, metavar="SECONDS", help="wait after each epoch")
    return parser.parse_args()


def newest(checkpoints: Path) -> tuple[int, Any]:
    """The last finished epoch and its model; 0 and a new model if there is none."""
    saved = sorted(checkpoints.glob("step-*.joblib"))
    if saved:
        state = joblib.load(saved[-1])
        return state["epoch"], state["model"]
    # An object, not a number: it is saved with the model, so the order of the batches goes on too.
    return 0, MLPClassifier((64,), learning_rate_init=0.003, batch_size=64, random_state=numpy.random.RandomState(SEED))


def forget_after(epoch: int, log: Path) -> None:
    """The log may be ahead of the newest checkpoint: those epochs come again."""
    if log.exists():
        lines = log.read_bytes().splitlines(keepends=True)
        replace(log, b"".join(lines[:epoch]))


def weights(model: Any) -> bytes:
    """All that was learned, as numpy stores it: equal weights are equal bytes."""
    content = io.BytesIO()
    numpy.savez(content, *model.coefs_, *model.intercepts_)
    return content.getvalue()


def save(path: Path, state: dict[str, Any]) -> None:
    """Under a temporary name first: whoever sees the final name sees all of the file."""
    temporary = path.with_name(f".{path.name}.tmp")
    joblib.dump(state, temporary)
    os.replace(temporary, path)


def replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)


if __name__ == "__main__":
    main()

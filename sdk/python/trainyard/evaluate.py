"""Scores a saved model on a dataset split: the script of an evaluation job (``-m trainyard.evaluate``).

Parameters (TRAINYARD_PARAMS): `modelDir` (or environment TRAINYARD_MODEL_DIR), `split` ("test"), `target` ("label"),
`features` (column names or patterns such as ``pixel_*``; the model's own when absent), `batchSize` (256),
`latencySamples` (200; 0 leaves latency out), `perClass` (true).

It logs each scalar by `run.log` and keeps ``evaluation.json`` as an artifact::

    {"schema": 1, "split": "test", "rows": 270,
     "metrics": {"accuracy", "precision", "recall", "f1" (macro), "loss" (mean cross-entropy), "rows",
                 "latency_p50_ms", "latency_p95_ms", "latency_p99_ms" (one sample a call, after a warm-up)},
     "perClass": [{"label", "precision", "recall", "f1", "support"}],
     "confusion": [[...]] (row = actual, column = predicted), "labels": [0, 1, ...]}

All but the latencies follow from model, data and library versions alone. The target holds class numbers 0..C-1, the
model's output one logit per class.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import trainyard
from trainyard.model import ModelError, load_module
from trainyard.scores import class_scores, confusion_matrix, latency_percentiles, summary

if TYPE_CHECKING:
    import numpy
    import torch

    from trainyard.dataset import Dataset

REPORT = "evaluation.json"
WARM_UP_CALLS = 20


def evaluate(
    module: Any, dataset: Dataset, features: list[str], *, target: str, batch_size: int, latency_samples: int
) -> dict[str, Any]:
    """Return the report of a classifier on a whole split.

    Raises
    ------
    ModelError
        When the output is not (rows, classes), or the target holds a class that the model does not know.
    """
    import numpy
    import torch

    arrays = dataset.arrays()
    if target not in arrays:
        raise ModelError(f"split {dataset.split!r} has no target column {target!r}; it has {dataset.columns}")
    inputs = torch.from_numpy(numpy.stack([arrays[name] for name in features], axis=1).astype(numpy.float32))
    actual: numpy.ndarray[Any, Any] = arrays[target].astype(numpy.int64)
    with torch.inference_mode():
        logits = torch.cat([module(chunk) for chunk in inputs.split(batch_size)])
    if logits.ndim != 2 or not 0 <= actual.min() <= actual.max() < logits.shape[1]:
        raise ModelError(
            f"the model returns shape {list(logits.shape)} for targets {actual.min()}..{actual.max()}; "
            "expected one logit per class"
        )
    classes = int(logits.shape[1])
    loss = torch.nn.functional.cross_entropy(logits.double(), torch.from_numpy(actual))
    confusion = confusion_matrix(actual, logits.argmax(dim=1).numpy(), classes)
    per_class = class_scores(confusion)
    metrics = {**summary(confusion, per_class), "loss": float(loss), "rows": float(len(actual))}
    if latency_samples > 0:
        metrics.update(latency_percentiles(_latencies(module, inputs, latency_samples)))
    return {
        "schema": 1,
        "split": dataset.split,
        "rows": len(actual),
        "metrics": metrics,
        "perClass": per_class,
        "confusion": confusion.tolist(),
        "labels": list(range(classes)),
    }


def _latencies(module: Any, inputs: torch.Tensor, samples: int) -> list[float]:
    import torch

    taken = []
    with torch.inference_mode():
        for call in range(WARM_UP_CALLS + samples):
            row = call % len(inputs)
            sample = inputs[row : row + 1]
            begin = time.perf_counter()
            module(sample)
            taken.append((time.perf_counter() - begin) * 1000)
    return taken[WARM_UP_CALLS:]


def main() -> None:
    """Evaluate as the parameters say; ranks other than 0 have nothing to do."""
    run = trainyard.init({"split": "test", "target": "label", "batchSize": 256, "latencySamples": 200, "perClass": True})
    if not run.is_main:
        return
    directory = run.params.get("modelDir") or os.environ.get("TRAINYARD_MODEL_DIR")
    if not directory:
        raise ModelError("no model to evaluate: set the parameter modelDir or TRAINYARD_MODEL_DIR to its folder")
    module, description = load_module(directory)
    dataset = run.dataset(run.params["split"])
    wanted = run.params.get("features") or description["features"]
    if not wanted:
        raise ModelError("which columns the model takes is unknown: pass features= to run.model, or set the parameter")
    report = evaluate(
        module,
        dataset,
        dataset.match(*wanted),
        target=run.params["target"],
        batch_size=int(run.params["batchSize"]),
        latency_samples=int(run.params["latencySamples"]),
    )
    run.log(report["metrics"], step=0)
    if not run.params["perClass"]:
        del report["perClass"]
    with open(REPORT, "w", encoding="utf-8") as target:
        json.dump(report, target, indent=2)
    run.artifact(REPORT)
    run.finish()


if __name__ == "__main__":
    main()

"""Classification scores from a confusion matrix, and percentiles of latencies. Arrays are NumPy's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy


def confusion_matrix(
    actual: numpy.ndarray[Any, Any], predicted: numpy.ndarray[Any, Any], classes: int
) -> numpy.ndarray[Any, Any]:
    """Return counts (int64, classes x classes): row = actual class, column = predicted class."""
    import numpy

    counts: numpy.ndarray[Any, Any] = numpy.bincount(actual * classes + predicted, minlength=classes * classes)
    return counts.reshape((classes, classes))


def class_scores(confusion: numpy.ndarray[Any, Any]) -> list[dict[str, Any]]:
    """Return precision, recall, F1 and support of each class; a score whose denominator is zero is 0."""
    scores = []
    for label in range(len(confusion)):
        hits = int(confusion[label, label])
        support = int(confusion[label].sum())
        precision = _ratio(hits, int(confusion[:, label].sum()))
        recall = _ratio(hits, support)
        f1 = _ratio(2 * precision * recall, precision + recall)
        scores.append({"label": label, "precision": precision, "recall": recall, "f1": f1, "support": support})
    return scores


def summary(confusion: numpy.ndarray[Any, Any], per_class: list[dict[str, Any]]) -> dict[str, float]:
    """Return accuracy and the macro means (over the classes that occur) of precision, recall and F1."""
    present = [score for score in per_class if score["support"] > 0]
    means = {key: _ratio(sum(score[key] for score in present), len(present)) for key in ("precision", "recall", "f1")}
    return {"accuracy": _ratio(int(confusion.trace()), int(confusion.sum())), **means}


def latency_percentiles(milliseconds: list[float]) -> dict[str, float]:
    """Return p50, p95 and p99 (linear interpolation) of latencies in milliseconds."""
    import numpy

    values: list[float] = numpy.percentile(milliseconds, [50, 95, 99]).tolist()
    return {f"latency_p{rank}_ms": value for rank, value in zip((50, 95, 99), values, strict=True)}


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0

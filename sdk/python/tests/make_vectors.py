"""Writes vectors/records.bin and records.json, which every reader of the record format is tested against.

JSON cannot hold NaN, infinities or all 64-bit integers, so steps are decimal strings and such values are strings.
"""

import json
import math
from pathlib import Path

from trainyard.records import encode_metrics, encode_object, read_records

FRAMES = [
    encode_metrics(1795228774.25, 1, {"loss": 2.5, "accuracy": 0.125}),
    encode_object({"kind": "first_step", "at": 1795228774.5}),
    encode_metrics(1795228775.0, 2, {"loss": math.nan, "up": math.inf, "down": -math.inf, "zero": -0.0}),
    encode_metrics(1795228776.0, -1, {}),
    encode_metrics(1795228777.0, 2**53 + 1, {"größe/μ": 1e-300}),
    encode_object(
        {
            "kind": "checkpoint",
            "step": 2,
            "offset": 0,
            "dir": "ckpt/2/rank-0",
            "files": [{"path": "model.pt", "sizeBytes": 17}],
            "worldSize": 2,
            "metrics": {"loss": 2.5},
        }
    ),
    encode_object({"kind": "artifact", "path": "reports/ü.json", "file": "/tmp/x.json"}),  # noqa: S108
]
TORN = encode_metrics(1795228778.0, 3, {"loss": 1.0})[:-3]


def _plain(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def expected(data: bytes) -> dict[str, object]:
    """Describe the readable prefix of `data` as records.json does."""
    records = []
    end = 0
    for record in read_records(data):
        end = record.end
        place = {"offset": record.offset, "end": record.end}
        if hasattr(record, "values"):
            values = [[key, _plain(value)] for key, value in record.values.items()]
            records.append({**place, "type": "metrics", "at": record.at, "step": str(record.step), "values": values})
        else:
            records.append({**place, "type": "object", "value": record.value})
    return {"readableBytes": end, "totalBytes": len(data), "records": records}


if __name__ == "__main__":
    folder = Path(__file__).with_name("vectors")
    blob = b"".join(FRAMES) + TORN
    (folder / "records.bin").write_bytes(blob)
    (folder / "records.json").write_text(json.dumps(expected(blob), indent=2, ensure_ascii=False) + "\n", "utf-8")

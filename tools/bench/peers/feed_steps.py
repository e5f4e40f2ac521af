"""How much of a training loop's time goes into waiting for data.

``feed_steps.py make DIR``: writes the files: images of 3 x 48 x 48 bytes with labels, as zstd-compressed Parquet shards.
``feed_steps.py trainyard|torch DIR SECONDS cpu|cuda``: trains a small convolutional network on them for so long and prints as
JSON the share of the steps' time that the loop waited for a batch, the seconds to the first batch, and the steps made.

Both tools read the same files, shuffle, and flip and scale the same way. PyTorch's DataLoader has what one writes for it: a
dataset that reads row groups in a random order through a buffer to shuffle in, and as many worker processes as there are
cores besides the loop's own.
"""

import glob
import json
import os
import random
import subprocess
import sys
import threading
import time

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import torch
from torch import nn

SHARDS, ROWS, SIDE = 8, 6_000, 48
BATCH = 64
GROUP_ROWS = 1_000
BUFFER_ROWS = 4_000


def make(directory: str) -> None:
    """Write the shards; their pictures are smooth, so that they compress as pictures do."""
    generator = np.random.default_rng(1)
    for shard in range(SHARDS):
        small = generator.integers(0, 256, (ROWS, 3, SIDE // 8, SIDE // 8), dtype=np.uint8)
        images = small.repeat(8, axis=2).repeat(8, axis=3) + generator.integers(0, 16, (ROWS, 3, SIDE, SIDE), dtype=np.uint8)
        flat = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(images.reshape(-1)), 3 * SIDE * SIDE)
        labels = generator.integers(0, 10, ROWS)
        table = pyarrow.table({"image": flat, "label": labels})
        path = os.path.join(directory, f"shard-{shard}.parquet")
        parquet.write_table(table, path, compression="zstd", row_group_size=GROUP_ROWS)


def augment(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Flip half of the pictures and scale all to 0..1."""
    images = images.reshape(-1, 3, SIDE, SIDE).astype(np.float32) / 255
    flipped = generator.random(len(images)) < 0.5
    images[flipped] = images[flipped][..., ::-1]
    return images


def trainyard_batches(directory: str):
    """Yield batches epoch after epoch."""
    from trainyard.data.rows import Rows
    from trainyard.dataset import Dataset
    from trainyard.manifest import Shard, Split

    split = Split("train", [Shard(path, "", None) for path in sorted(glob.glob(f"{directory}/*.parquet"))], None, "")
    data = Dataset(split, 0, 1, 7)
    data._rows = Rows(split, os.path.join(directory, "arrow"), 0)

    def transform(batch, generator):
        return {"image": augment(batch["image"], generator), "label": batch["label"]}

    loader = data.loader(BATCH, transform=transform, prefetch=4, device=DEVICE)
    while True:
        for batch in loader:
            yield batch["image"], batch["label"]


class Shuffled(torch.utils.data.IterableDataset):
    """Row groups in a random order, through a buffer."""

    def __init__(self, directory: str) -> None:
        self.paths = sorted(glob.glob(f"{directory}/*.parquet"))

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        number, count = (worker.id, worker.num_workers) if worker else (0, 1)
        order = [(path, group) for path in self.paths for group in range(ROWS // GROUP_ROWS)]
        random.Random(7).shuffle(order)
        generator = np.random.default_rng(number)
        images, labels = [], []
        for path, group in order[number::count]:
            table = parquet.ParquetFile(path, memory_map=True).read_row_group(group)
            flat = table.column("image").combine_chunks().flatten().to_numpy()
            images.extend(flat.reshape(-1, 3 * SIDE * SIDE))
            labels.extend(table.column("label").to_numpy())
            while len(images) >= BUFFER_ROWS:
                yield self.draw(images, labels, generator)
        while len(images) >= BATCH:
            yield self.draw(images, labels, generator)

    def draw(self, images: list, labels: list, generator: np.random.Generator):
        """Take a batch out of the buffer at random."""
        chosen = []
        for _ in range(BATCH):
            at = int(generator.integers(len(images)))
            images[at], images[-1] = images[-1], images[at]
            labels[at], labels[-1] = labels[-1], labels[at]
            chosen.append((images.pop(), labels.pop()))
        pictures = augment(np.stack([picture for picture, _ in chosen]), generator)
        return torch.from_numpy(pictures), torch.tensor([int(label) for _, label in chosen])


def torch_batches(directory: str):
    """Yield batches epoch after epoch."""
    workers = max(1, (os.cpu_count() or 2) - 1)
    on_gpu = DEVICE == "cuda"
    loader = torch.utils.data.DataLoader(
        Shuffled(directory), batch_size=None, num_workers=workers, prefetch_factor=4, persistent_workers=True, pin_memory=on_gpu
    )
    while True:
        for images, labels in loader:
            yield images.to(DEVICE, non_blocking=True), labels.to(DEVICE, non_blocking=True)


def watch_gpu(samples: list[float], done: threading.Event) -> None:
    """Collect the GPU's utilisation in percent, as nvidia-smi tells it each second."""
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]
    while not done.wait(1):
        samples.append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def train(batches, seconds: float) -> dict:
    """Train, and measure the waits."""
    torch.manual_seed(0)
    on_gpu = DEVICE == "cuda"
    if not on_gpu:
        torch.set_num_threads(1)
    width = 256 if on_gpu else 16
    model = nn.Sequential(
        nn.Conv2d(3, width, 3, stride=2), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, stride=2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(32 * width, 10),
    ).to(DEVICE)  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    begun = time.perf_counter()
    next(batches)
    first = time.perf_counter() - begun
    samples: list[float] = []
    done = threading.Event()
    if on_gpu:
        threading.Thread(target=watch_gpu, args=(samples, done), daemon=True).start()
    waited = whole = 0.0
    steps = 0
    while whole < seconds:
        at = time.perf_counter()
        images, labels = next(batches)
        waited += time.perf_counter() - at
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if on_gpu:
            torch.cuda.synchronize()
        whole += time.perf_counter() - at
        steps += 1
    done.set()
    busy = sum(samples[2:]) / max(1, len(samples[2:]))
    return {"waitShare": waited / whole, "firstSeconds": first, "stepSeconds": whole / steps, "steps": steps, "gpuPercent": busy}


if __name__ == "__main__":
    what, where = sys.argv[1:3]
    if what == "make":
        make(where)
    else:
        DEVICE = sys.argv[4]
        made = trainyard_batches(where) if what == "trainyard" else torch_batches(where)
        print(json.dumps({**train(made, float(sys.argv[3])), "torch": torch.__version__}), flush=True)
        os._exit(0)  # worker processes and threads of both tools end with it

"""Accelerate: the Accelerator finds the ranks in the environment, as it does under `torchrun` and `accelerate launch`."""

import torch
from accelerate import Accelerator
from data import make_dataset, make_model, report
from torch.utils.data import DataLoader

# Without a GPU it must be told so, under any launcher, or it takes each rank for one alone.
accelerator = Accelerator(cpu=not torch.cuda.is_available())
model = make_model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
loader = DataLoader(make_dataset(), batch_size=32, shuffle=True)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
losses: list[float] = []
for _ in range(2):
    for x, y in loader:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        accelerator.backward(loss)
        optimizer.step()
        losses.append(accelerator.reduce(loss.detach(), "mean").item())
plain = accelerator.unwrap_model(model)
report(plain, accelerator.distributed_type.value, accelerator.process_index, accelerator.num_processes, losses)
accelerator.end_training()

import { expect, it } from "vitest";
import { testNode } from "./testing/test-node.ts";

it("runs a torch DDP gang that averages over its ranks, unmodified from torchrun", {
  timeout: 180_000,
}, async () => {
  const node = await testNode();
  await node.startAgent();
  const script = `
import torch, torch.distributed as dist
assert dist.is_torchelastic_launched()
dist.init_process_group("gloo")
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1, bias=False))
with torch.no_grad():
    model.module.weight.zero_()
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
loss = model(torch.full((1, 2), float(dist.get_rank() + 1))).sum()
loss.backward()
optimizer.step()
print(model.module.weight.tolist())
dist.destroy_process_group()
`;
  const job = await node.assignment({ script, ranks: 2, torch: true });
  await node.desire([job]);
  const status = await node.reaches(job, "FINALIZED");
  expect(
    status.ranks.map(({ exit }) => exit?.code),
    status.ranks[0]?.exit?.tracebackTail,
  ).toEqual([0, 0]);
  for (const rank of [0, 1])
    expect(node.tracking.text(job.runId, 1, rank, "stdout")).toBe("[[-1.5, -1.5]]\n");
});

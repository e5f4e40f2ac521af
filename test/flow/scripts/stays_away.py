"""A gang, without the SDK, of which rank 1 never comes to a collective."""

import time

import torch
import torch.distributed as dist


def elsewhere() -> None:
    """Be busy with something else for longer than anybody waits."""
    time.sleep(3600)


def main() -> None:
    """Meet once; the second time rank 1 is not there."""
    dist.init_process_group("gloo")
    dist.barrier()
    if dist.get_rank() == 1:
        elsewhere()
    dist.all_reduce(torch.ones(1))


main()

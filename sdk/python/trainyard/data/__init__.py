"""Feeding a training loop: the order of samples, shards on the node, prefetching, tensors.

Scripts reach this through `run.dataset()`: its `batches` yields NumPy arrays, its `loader` tensors, its `torch_loader` is a
`torch.utils.data.DataLoader`. The modules here know nothing of a run. Importing the package imports neither numpy, pyarrow
nor torch.
"""

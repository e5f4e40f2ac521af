"""Lightning: the Trainer sees that its processes have been started, and starts none of its own."""

import os

import lightning
import torch
from data import make_dataset, make_model, report
from torch.utils.data import DataLoader


class Classifier(lightning.LightningModule):
    """The network and its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.network = make_model()
        self.losses: list[float] = []

    def training_step(self, batch, index):
        """Return the loss of a batch."""
        x, y = batch
        loss = torch.nn.functional.cross_entropy(self.network(x), y)
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self):
        """Return the optimizer."""
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)

    def on_train_end(self) -> None:
        """Compare the ranks while they are still connected."""
        launcher = type(self.trainer.strategy.cluster_environment).__name__
        report(self.network, launcher, self.global_rank, self.trainer.world_size, self.losses)


trainer = lightning.Trainer(
    strategy="ddp",
    devices=int(os.environ["LOCAL_WORLD_SIZE"]),
    num_nodes=int(os.environ["GROUP_WORLD_SIZE"]),
    max_epochs=2,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
# Lightning gives each rank its own rows.
trainer.fit(Classifier(), DataLoader(make_dataset(), batch_size=32, shuffle=True))

"""Transformers: the Trainer on a small BERT made from a configuration, so that nothing is downloaded."""

import torch
from data import make_dataset, report
from torch.utils.data import Dataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

torch.manual_seed(0)
sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
model = BertForSequenceClassification(BertConfig(vocab_size=4, max_position_embeddings=16, **sizes))


class Tokens(Dataset):
    """The points as sequences of 16 tokens: each coordinate's sign."""

    def __init__(self) -> None:
        self.rows = make_dataset()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        x, y = self.rows[index]
        return {"input_ids": (x > 0).long(), "labels": y}


arguments = TrainingArguments(
    output_dir="trained",
    use_cpu=not torch.cuda.is_available(),
    num_train_epochs=4,
    per_device_train_batch_size=32,
    learning_rate=5e-3,
    logging_steps=1,
    save_strategy="no",
    report_to="none",
    disable_tqdm=True,
    seed=0,
)
trainer = Trainer(model=model, args=arguments, train_dataset=Tokens())
trainer.train()
losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
mode = arguments.parallel_mode.value
report(trainer.accelerator.unwrap_model(trainer.model_wrapped), mode, arguments.process_index, arguments.world_size, losses)

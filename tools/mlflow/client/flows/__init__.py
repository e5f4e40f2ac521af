"""What people do with MLflow's client, each flow asserted by what the client is answered."""

from flows import access, files, models, runs  # noqa: F401  each enters its flows
from flows.flow import FLOWS

__all__ = ["FLOWS"]

"""What the parity check does with a client: a scenario per group of methods, errors included."""

from scenarios import artifacts, experiments, logged_models, pages, registry, run_search, runs  # noqa: F401  each enters its scenarios
from scenarios.scenario import SCENARIOS

__all__ = ["SCENARIOS"]

"""How long this rank's collectives wait for the others, where its script does not say.

torch has one default for NCCL (10 minutes) and one for every other backend (30), and reads them from its modules whenever a
process group is made without a timeout of its own. The platform puts the job's in their place before the script runs, so it
holds for scripts that know nothing of the platform too. A timeout that the script gives is the script's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta

VARIABLE = "TRAINYARD_COLLECTIVE_TIMEOUT_SECONDS"
#: The second is None where torch was built without NCCL.
_DEFAULTS = ("default_pg_timeout", "default_pg_nccl_timeout")


def set_default_timeout(env: Mapping[str, str] = os.environ) -> None:
    """Have torch take the job's timeout for its own default. Imports torch."""
    seconds = env.get(VARIABLE)
    if not seconds:
        return
    from torch import distributed

    if not distributed.is_available():
        return
    from torch.distributed import constants, distributed_c10d

    # The second module reads its own copies; the others are where scripts find them.
    for module in (constants, distributed_c10d, distributed):
        for name in _DEFAULTS:
            if isinstance(getattr(module, name, None), timedelta):
                setattr(module, name, timedelta(seconds=int(seconds)))

"""Ids of runs, made where no platform is at hand."""

from __future__ import annotations

import re
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_FORM = re.compile(r"run_[0-7][0-9a-hjkmnp-tv-z]{25}")


def new_run_id() -> str:
    """Return a new id: ``run_`` and a UUID of version 7 (RFC 9562) in Crockford's base 32, so that ids sort by time."""
    number = int(time.time() * 1000) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return "run_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def is_run_id(text: str) -> bool:
    """Say whether the text has the form of a run's id."""
    return _FORM.fullmatch(text) is not None

"""What an artifact may be called: the platform's rule, told where the mistake is made."""

from __future__ import annotations

import unicodedata

MAX_BYTES = 512


def artifact_path(text: str) -> str:
    """Return the path under which a run keeps an artifact, in Unicode normal form C so that one visible name is one path.

    Raises
    ------
    ValueError
        Unless it is relative, of parts separated by ``/`` none of which is empty, ``.`` or ``..``, without backslash or control
        character, and at most `MAX_BYTES` bytes of UTF-8.
    """
    path = unicodedata.normalize("NFC", text)
    problem = _problem(path)
    if problem is None:
        return path
    shown = ascii(text[:80])
    raise ValueError(f"artifact name {shown} {problem}; expected a relative path such as 'reports/confusion.json'")


def _problem(path: str) -> str | None:
    parts = path.split("/")
    broken = {
        "is empty": path == "",
        "contains a control character": any(unicodedata.category(character) == "Cc" for character in path),
        "is not valid Unicode": any(unicodedata.category(character) == "Cs" for character in path),
        f"is longer than {MAX_BYTES} bytes": len(path.encode(errors="replace")) > MAX_BYTES,
        "contains a backslash (parts are separated by '/')": "\\" in path,
        "is absolute": path.startswith("/"),
        "contains '..'": ".." in parts,
        "contains an empty part or '.'": "." in parts or "" in parts,
    }
    return next((words for words, is_so in broken.items() if is_so), None)

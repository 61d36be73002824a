"""The codes on labels: what the QR code on a lot's entrance or beside a spot leads to.

Ten signs of Crockford's base 32 are 50 bits: short enough to type when a camera fails, and nobody finds
one by trying. A code is never edited; whoever finds a label gone or copied gives it a new one.
"""

from __future__ import annotations

import secrets

# No letters that look like figures.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 10
# What people type for the signs that are not in it.
_MEANT = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})


def random_code(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _i in range(length))


def new_code() -> str:
    return random_code(LENGTH)


def read_code(text: str) -> str:
    """A code as it was printed, however it was typed: k7q2-xm… is K7Q2XM…"""
    return text.upper().translate(_MEANT)

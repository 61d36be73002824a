"""Amounts of money: how fine a currency goes, and how an amount is written."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

# ISO 4217: how many decimals a currency has, where it is not two.
CURRENCY_DIGITS = {
    **dict.fromkeys(["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"], 0),
    **dict.fromkeys(["RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"], 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
_CENTS = {digits: Decimal(1).scaleb(-digits) for digits in range(5)}


def cent(currency: str) -> Decimal:
    """The smallest amount of a currency: 0.01 EUR, 1 JPY, 0.001 KWD."""
    return _CENTS[CURRENCY_DIGITS.get(currency, 2)]


def quantise(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(cent(currency), ROUND_HALF_UP)

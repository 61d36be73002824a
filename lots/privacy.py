"""What lots know about people: which operator changed something, and what drivers say about a lot."""

from accounts.privacy import Table

_LOT = (
    *("name", "slug", "source_id", "address_line1", "address_line2", "city", "region", "postcode"),
    *("country", "phone", "timezone", "currency", "opening_hours", "cancellation_tiers"),
)
_SPOT = ("number", "number_key", "building", "floor", "vehicle_kinds", "features")

INVENTORY = [
    Table("lots.Lot", other=(*_LOT, "code")),
    Table("lots.Spot", other=(*_SPOT, "code")),
    Table("lots.Closure", other=("reason", "by")),
    Table(
        "lots.Review",
        "author",
        personal=dict.fromkeys(["author", "text"]),
        other=("hidden_by", "hidden_reason"),
        rows_go=True,
    ),
    Table("lots.Tariff", other=("document", "made_by")),
]

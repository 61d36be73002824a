"""What the ledger of runs knows about people: which operator asked for a run."""

from accounts.privacy import Table

INVENTORY = [
    Table(
        "reports.JobRun",
        "asked_by",
        personal={"asked_by": None},
        other=("job", "period", "timezone", "counts", "error"),
    ),
    Table("reports.Heartbeat", other=("name",)),
]

"""What reports know about people: who asked for a run or a file, and what imported files say of drivers."""

from __future__ import annotations

from accounts.privacy import Table

INVENTORY = [
    Table(
        "reports.JobRun",
        "asked_by",
        personal={"asked_by": None},
        other=("job", "period", "timezone", "counts", "error"),
    ),
    Table("reports.Heartbeat", other=("name",)),
    # The rows go; their files are nobody's then, cannot be opened, and go with the next clean-up.
    Table(
        "reports.Export",
        "owner",
        personal=dict.fromkeys(["owner", "error_code", "file_name"]),
        secret=("file_name",),
        rows_go=True,
    ),
    # Files of vehicles name drivers. File and rows go after 90 days, whoever they are about.
    Table(
        "reports.ImportBatch",
        "by",
        other=(
            "by",
            "file_name",
            "content",
            "sha256",
            "reading",
            "headings_sha256",
            "plan_sha256",
            "problems",
        ),
        secret=("content",),
    ),
    # Files of readings count cars; what was wrong with them is told by line and column.
    Table("reports.OccupancyImport", other=("by", "file_name", "refused")),
    Table("reports.Reading"),
    Table("reports.ImportRow", other=("name", "before", "after")),
]

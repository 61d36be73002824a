"""Lots, spots, tariffs and vehicles as CSV files: out, and in again. People, bookings and payments: out.

cells, sheet     one column, one kind of file (django-import-export resources)
lots, spots …    the kinds
reading, known   a file of anybody's, and which of its columns are which of ours
models, batches  an import as a row: what it would do, doing it, undoing it
import_admin     its pages in the back office
exporting, lists the buttons of the other lists
"""

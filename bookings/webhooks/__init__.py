"""Telling other programs what happened: who wants to know, and that they were told."""

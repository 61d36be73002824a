"""The back office's site."""

from unfold.sites import UnfoldAdminSite


class ParkwellAdminSite(UnfoldAdminSite):
    site_header = "Parkwell"
    site_title = "Parkwell"

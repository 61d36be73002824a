"""The plugs of electric vehicles, by their OCPI names."""

from django.utils.translation import gettext_lazy as _

CONNECTORS = [
    ("IEC_62196_T2", _("Type 2")),
    ("IEC_62196_T2_COMBO", _("CCS2")),
    ("IEC_62196_T1", _("Type 1")),
    ("IEC_62196_T1_COMBO", _("CCS1")),
    ("CHADEMO", _("CHAdeMO")),
    ("NACS", _("NACS")),
    ("DOMESTIC_F", _("Schuko")),
]

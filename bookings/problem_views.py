"""Where a driver says that the spot is blocked or broken."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.http import Request
from bookings import problems
from bookings.errors import BookingRefused
from bookings.models import Booking, Problem


class ProblemForm(forms.ModelForm):
    kind = forms.ChoiceField(
        label=gettext_lazy("What is wrong?"),
        choices=Problem.Kind.choices,
        widget=forms.RadioSelect(attrs={"class": "form-check-input"}),
    )

    class Meta:
        model = Problem
        fields = ["kind", "text"]
        labels = {"text": gettext_lazy("What the operator should know (optional)")}
        widgets = {"text": forms.Textarea(attrs={"rows": 3, "class": "form-control"})}


@require_http_methods(["GET", "HEAD", "POST"])
def problem(request: Request, reference: str) -> HttpResponse:
    """Once it is told, whoever cannot stand there is led straight to the other free spots."""
    mine = Booking.objects.of(request.user).select_related("lot", "spot")
    booking, now = get_object_or_404(mine, reference=reference), timezone.now()
    form = ProblemForm(request.POST if request.method == "POST" else None)
    refusal, status = None, 422 if form.is_bound else 200
    if form.is_valid():
        try:
            problems.tell(booking, **form.cleaned_data, now=now)
        except BookingRefused as refused:
            refusal, status = refused, 409
        else:
            if form.cleaned_data["kind"] == Problem.Kind.OTHER:
                messages.success(request, _("Thank you. The operator knows."))
                return redirect("bookings:detail", booking.reference)
            messages.success(request, _("Thank you. The operator knows. You can take another spot here."))
            return redirect("bookings:move", booking.reference)
    template = "bookings/_problem.html" if request.htmx else "bookings/problem.html"
    context = {"booking": booking, "form": form, "now": now, "refusal": refusal}
    return render(request, template, context, status=status)

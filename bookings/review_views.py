"""Writing a review on a lot's page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.http import Request
from accounts.models import User
from bookings import reviewing
from bookings.errors import BookingRefused
from lots import reviews
from lots.models import Lot, Review
from lots.review_models import MOST_STARS, Rating

A_PAGE = 10
STARS = [(number, "★" * number + "☆" * (MOST_STARS - number)) for number in range(MOST_STARS, 0, -1)]


class ReviewForm(forms.ModelForm):
    rating = forms.TypedChoiceField(
        label=gettext_lazy("Stars"),
        choices=STARS,
        coerce=int,
        widget=forms.Select(attrs={"class": "form-select"}),
    )

    class Meta:
        model = Review
        fields = ["rating", "text"]
        labels = {"text": gettext_lazy("What others should know")}
        widgets = {"text": forms.Textarea(attrs={"rows": 4, "class": "form-control"})}


def shown(user: Any, lot: Lot) -> dict[str, Any]:
    """What the lot's page says about its reviews, and to whom it offers to write one."""
    driver = user if isinstance(user, User) else None
    rows: list[Any] = list(lot.reviews.with_rating().for_reader(driver)[: A_PAGE + 1])
    mine = next((review for review in rows if driver and review.author_id == driver.pk), None)
    newest = sorted((review for review in rows if not review.is_hidden), key=Review.age)
    return {
        "rating": Rating.of(rows[0].mean, rows[0].count) if rows else Rating(),
        "reviews": newest[:A_PAGE],
        "my_review": mine,
        "may_review": mine is not None or getattr(lot, "has_stayed", False),
    }


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: Request, slug: str) -> HttpResponse:
    """One form to write a review, change it, and take it back."""
    lot, now = get_object_or_404(Lot.objects.listed(), slug=slug), timezone.now()
    mine = reviewing.own(request.user, lot)
    back = f"{reverse('lots:detail', args=[lot.slug])}#reviews"
    if request.method == "POST" and "remove" in request.POST:
        if mine is not None:
            mine.delete()
            messages.success(request, _("Your review is gone."))
        return redirect(back)
    form = ReviewForm(request.POST or None, instance=mine)
    status = 200
    if request.method == "POST":
        if form.is_valid() and _save(request, form, lot, mine, now):
            messages.success(request, _("Thank you: your review is on the page."))
            return redirect(back)
        status = 422
    elif mine is None and not reviewing.has_stayed(request.user, lot):
        messages.info(request, _("You can review a lot once you have stayed there."))
        return redirect(back)
    return render(request, "lots/review.html", {"lot": lot, "form": form, "mine": mine}, status=status)


def _save(request: Request, form: ReviewForm, lot: Lot, mine: Review | None, now: Any) -> bool:
    rating, text = form.cleaned_data["rating"], form.cleaned_data["text"]
    try:
        if mine is None:
            reviewing.write(lot=lot, author=request.user, rating=rating, text=text, now=now)
        else:
            reviews.change(mine, rating=rating, text=text, now=now)
    except BookingRefused as refusal:
        form.add_error(None, str(refusal))
        return False
    return True

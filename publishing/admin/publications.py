"""Publications: what went or goes out where, with every attempt. Only jobs write; people send again."""

from collections.abc import Iterable
from typing import Any, Protocol

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.core.validators import URLValidator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from unfold import widgets

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import DropdownFilter, ModelAdmin, ReadOnlyAdmin, require, user_of
from jobs.errors import IllegalState
from publishing import errands, publications
from publishing.models import Publication

State = Publication.State
PUBLISH = "publishing.publish_post"

LOOKS: dict[str, tuple[str, str]] = {
    State.WAITING: ("schedule", "calm"),
    State.SENDING: ("send", "busy"),
    State.UNCONFIRMED: ("help", "warn"),
    State.PUBLISHED: ("check_circle", "good"),
    State.FAILED: ("error", "bad"),
    State.MISSED: ("event_busy", "bad"),
    State.WITHDRAWN: ("undo", "calm"),
}

navigation.add(
    navigation.Entry(
        group="Publishing",
        title="Publications",
        icon="outgoing_mail",
        url_name="admin:publishing_publication_changelist",
        permissions=("publishing.view_publication",),
        order=230,
    )
)


class Control(Protocol):
    """What people may do with a publication; raises IllegalState."""

    def __call__(self, publication: Publication, /, *, by: AbstractBaseUser | None) -> None: ...


class LeftFilter(DropdownFilter):
    """Those that wait for a person."""

    title = "whose turn it is"
    parameter_name = "left"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("yes", "Left to you")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Publication]) -> QuerySet[Publication]:
        if self.value() != "yes":
            return queryset
        return queryset & Publication.objects.left_to_people()


@admin.register(Publication)
class PublicationAdmin(ReadOnlyAdmin[Publication]):
    list_display = ("post_and_publisher", "state_label", "attempts", "moment", "address")
    list_display_links = ("post_and_publisher",)
    list_filter = (LeftFilter, "state", "publisher")
    list_select_related = ("post", "publisher")
    search_fields = ("post__title",)
    ordering = ("-pk",)
    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False
    actions = ("send_again", "try_again")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Publication]:
        return super().get_queryset(request).defer("post__body_html")

    # The list

    @admin.display(description="Publication")
    def post_and_publisher(self, row: Publication) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines"><strong>{}</strong><small>{}</small></span>',
            row.post,
            row.publisher,
        )

    @admin.display(description="Attempts")
    def attempts(self, row: Publication) -> SafeString | str:
        """How often it was sent and looked for, and why it is where it is."""
        looks = f", looked for {row.looks_made} times" if row.looks_made else ""
        return format_html(
            '<span class="jobs-two-lines"><span>{}</span><small>{}</small></span>',
            f"{row.attempts_made}{looks}",
            row.reason,
        )

    @admin.display(description="State")
    def state_label(self, row: Publication) -> SafeString:
        if not row.errand:
            return state_badge(row)
        icon, tone = ("sync", "busy") if row.next_attempt_at else ("sync_problem", "bad")
        errand = display.badge(f"To do: {row.get_errand_display().lower()}", icon, tone)
        return format_html('<span class="jobs-two-lines">{}{}</span>', state_badge(row), errand)

    @admin.display(description="When")
    def moment(self, row: Publication) -> SafeString:
        """When it went out, or was or is due."""
        word, at = ("published", row.published_at) if row.published_at else ("due", row.due_at)
        return format_html(
            '<span class="jobs-two-lines jobs-nowrap"><span>{}</span><small>{}</small></span>',
            display.moment(at),
            word,
        )

    @admin.display(description="Address there")
    def address(self, row: Publication) -> SafeString | str:
        return address_there(row, longest=48)

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PUBLISH)

    @admin.action(
        description="Send again (look first: an unconfirmed one may be there)", permissions=["send_again"]
    )
    def send_again(self, request: HttpRequest, queryset: QuerySet[Publication]) -> None:
        self._each(request, queryset, publications.send_again, "To be sent again")

    @admin.action(description="Try again to change it there, or to take it back", permissions=["send_again"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Publication]) -> None:
        self._each(request, queryset, errands.try_again, "To be tried again")

    def _each(self, request: HttpRequest, chosen: Iterable[Publication], control: Control, said: str) -> None:
        require(request, PUBLISH)
        done = 0
        for row in chosen:
            try:
                control(row, by=user_of(request))
                done += 1
            except IllegalState as error:
                messages.error(request, f"{row}: {error}")
        if done:
            messages.success(request, f"{said}: {done}.")

    # The page of one

    def get_urls(self) -> list[URLPattern]:
        controls = {"send-again": self.send_one, "confirm": self.confirm_one, "try-again": self.try_one}
        view = self.admin_site.admin_view
        return [
            *[
                path(
                    f"<int:pk>/{name}/",
                    view(control),
                    name=f"publishing_publication_{name.replace('-', '_')}",
                )
                for name, control in controls.items()
            ],
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        may_decide = self.has_send_again_permission(request)
        context = {
            "title": str(row),
            "row": row,
            "state": state_badge(row),
            "address": address_there(row),
            "attempts": row.attempts.all(),
            "may_send": may_decide and row.state in (State.FAILED, State.MISSED, State.UNCONFIRMED),
            "may_confirm": may_decide and row.state == State.UNCONFIRMED,
            "may_try": may_decide and row.errand and row.next_attempt_at is None,
        }
        return self._page(request, "admin/publishing/publication/page.html", context)

    def send_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks, then lets it be sent once more."""
        row = self._controlled(request, pk)
        if request.method == "POST":
            self._each(request, [row], publications.send_again, "To be sent again")
            return HttpResponseRedirect(page_of(row))
        question = "Send it once more? Its time is now."
        if row.state == State.UNCONFIRMED:
            question = f"Look at {row.publisher} first: it may be there, and would be there twice. Send it once more?"
        return self._ask(request, row, "Send again", question, is_dangerous=row.state == State.UNCONFIRMED)

    def confirm_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Somebody has looked, and it is there; perhaps with its address."""
        row = self._controlled(request, pk)
        form = ConfirmForm(request.POST if request.method == "POST" else None)
        if form.is_valid():

            def confirm(row: Publication, *, by: AbstractBaseUser | None) -> None:
                publications.confirm(row, url=form.cleaned_data["url"], by=by)

            self._each(request, [row], confirm, "Confirmed")
            return HttpResponseRedirect(page_of(row))
        question = f"You have looked at {row.publisher}, and it is there?"
        return self._ask(request, row, "It is there", question, form=form)

    def try_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Try its errand once more."""
        row = self._controlled(request, pk)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self._each(request, [row], errands.try_again, "To be tried again")
        return HttpResponseRedirect(page_of(row))

    def _controlled(self, request: HttpRequest, pk: int) -> Publication:
        require(request, "publishing.view_publication", PUBLISH)
        return get_object_or_404(Publication.objects.select_related("post", "publisher"), pk=pk)

    def _ask(
        self, request: HttpRequest, row: Publication, button: str, question: str, **more: Any
    ) -> HttpResponse:
        context = {"title": button, "question": question, "items": [str(row)], "button": button, **more}
        return self._page(request, "admin/jobs/confirm.html", {**context, "back": page_of(row)})

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        common = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, template, {**common, **context})


class ConfirmForm(forms.Form):
    """Where it is."""

    url = forms.CharField(
        label="Address there",
        required=False,
        max_length=2000,
        validators=[URLValidator(["http", "https"])],
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"inputmode": "url"}),
        help_text="If you know it: with it, the post can be changed and taken back there.",
    )


def page_of(row: Publication) -> str:
    return reverse("admin:publishing_publication_change", args=[row.pk])


def state_badge(row: Publication) -> SafeString:
    icon, tone = LOOKS[row.state]
    return display.badge(str(State(row.state).label), icon, tone)


def address_there(row: Publication, *, longest: int | None = None) -> SafeString | str:
    """A link to the post at its publisher, if that said where it is; its text may be cut."""
    if not row.remote_url.startswith(("http://", "https://")):
        return row.remote_id
    text = row.remote_url.partition("://")[2] if longest else row.remote_url
    return format_html(
        '<a class="jobs-link" rel="noopener noreferrer" href="{}">{}</a>',
        row.remote_url,
        Truncator(text).chars(longest) if longest else text,
    )

"""Deliveries: the outbox and the log of what was sent. Only the courier writes; people may send again."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import ReadOnlyAdmin, require, user_of
from jobs.admin.run_filters import BoundedPaginator
from jobs.errors import IllegalState
from jobs.models import Delivery
from jobs.notifications import configuration, deliveries, looks

RETRY = "jobs.retry_delivery"

navigation.add(
    navigation.Entry(
        group="Notifications",
        title="Deliveries",
        icon="outbox",
        url_name="admin:jobs_delivery_changelist",
        permissions=("jobs.view_delivery",),
        order=130,
    )
)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin[Delivery]):
    list_display = ("state_label", "title_and_purpose", "channel_name", "tried", "made", "sent", "answer")
    list_display_links = ("title_and_purpose",)
    list_filter = ("state", "purpose", "channel")
    list_select_related = ("channel",)
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False
    search_fields = ("title", "recipient")
    ordering = ("-pk",)
    sortable_by = ()
    actions = ("send_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return Delivery.objects.visible_to(request.user).defer("message").order_by("-pk")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(RETRY)

    @admin.display(description="State")
    def state_label(self, delivery: Delivery) -> SafeString:
        return looks.delivery_badge(delivery.state)

    @admin.display(description="Message")
    def title_and_purpose(self, delivery: Delivery) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines"><strong>{}</strong><small>{}</small></span>',
            delivery.title,
            delivery.get_purpose_display(),
        )

    @admin.display(description="Channel")
    def channel_name(self, delivery: Delivery) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines"><span>{}</span><small>{}</small></span>',
            delivery.channel.name,
            delivery.recipient,
        )

    @admin.display(description="Attempts")
    def tried(self, delivery: Delivery) -> int:
        return delivery.attempts

    @admin.display(description="Made")
    def made(self, delivery: Delivery) -> SafeString | str:
        return display.moment(delivery.created_at)

    @admin.display(description="Ended")
    def sent(self, delivery: Delivery) -> SafeString | str:
        if delivery.state == Delivery.State.WAITING:
            return format_html("due {}", display.moment(delivery.due_at))
        return display.moment(delivery.ended_at)

    @admin.display(description="Answer")
    def answer(self, delivery: Delivery) -> SafeString:
        return format_html('<span class="jobs-wrap">{}</span>', delivery.last_answer[:160])

    @admin.action(description="Send again", permissions=["retry"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        require(request, RETRY)
        try:
            count = deliveries.retry(list(queryset), by=user_of(request))
        except IllegalState as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"Deliveries put back to be sent: {count}.")

    def get_urls(self) -> list[URLPattern]:
        again = path(
            "<uuid:pk>/again/", self.admin_site.admin_view(self.again_one), name="jobs_delivery_again"
        )
        return [again, *super().get_urls()]

    def again_one(self, request: HttpRequest, pk: Any) -> HttpResponse:
        require(request, RETRY)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        chosen = self.get_queryset(request).filter(pk=pk)
        if not chosen:
            raise Http404("There is no such delivery.")
        self.send_again(request, chosen)
        return HttpResponseRedirect(reverse("admin:jobs_delivery_change", args=[pk]))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The message, and everything that was tried."""
        delivery = self.get_object(request, object_id)
        if delivery is None:
            raise Http404
        if not self.has_view_permission(request, delivery):
            raise PermissionDenied
        is_over = delivery.state in (Delivery.State.FAILED, Delivery.State.WITHDRAWN)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(delivery),
            "delivery": delivery,
            "attempts": configuration.attempts_of(delivery),
            "may_retry": is_over
            and delivery.purpose != Delivery.Purpose.TEST
            and self.has_retry_permission(request),
        }
        return TemplateResponse(request, "admin/jobs/delivery/page.html", context)

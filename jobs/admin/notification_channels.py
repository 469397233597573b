"""Channels: where notifications go, how each does, and the button that tries one out."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold import widgets

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import ModelAdmin, require, user_of
from jobs.admin.settings_form import SettingsForm
from jobs.errors import InvalidInput, JobsError
from jobs.models import NotificationChannel
from jobs.notifications import channels, configuration
from jobs.notifications.channels.base import AnyKind

TEST, ENABLE = "jobs.test_notificationchannel", "jobs.enable_notificationchannel"
RECENT = 8

navigation.add(
    navigation.Entry(
        group="Notifications",
        title="Channels",
        icon="send",
        url_name="admin:jobs_notificationchannel_changelist",
        permissions=("jobs.view_notificationchannel",),
        order=120,
    )
)

if TYPE_CHECKING:
    Form = forms.ModelForm[NotificationChannel]
else:
    Form = forms.ModelForm


class ChannelForm(Form):
    """What every channel has."""

    class Meta:
        model = NotificationChannel
        fields = ("name", "time_zone", "quiet_from", "quiet_until", "critical_is_never_quiet")
        widgets = {
            "name": widgets.UnfoldAdminTextInputWidget(),
            "time_zone": widgets.UnfoldAdminTextInputWidget(),
            "quiet_from": forms.TimeInput(
                attrs={"type": "time", "class": " ".join(widgets.INPUT_CLASSES)}, format="%H:%M"
            ),
            "quiet_until": forms.TimeInput(
                attrs={"type": "time", "class": " ".join(widgets.INPUT_CLASSES)}, format="%H:%M"
            ),
            "critical_is_never_quiet": widgets.UnfoldBooleanSwitchWidget(),
        }


@admin.register(NotificationChannel)
class NotificationChannelAdmin(ModelAdmin[NotificationChannel]):
    list_display = ("name_and_address", "kind_label", "state_label", "sent", "failed", "error")
    list_display_links = ("name_and_address",)
    search_fields = ("name",)
    sortable_by = ()

    def has_test_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(TEST)

    def has_enable_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ENABLE)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """None: channels are few, and deleting one is asked on its page."""
        return {}

    # The list

    @admin.display(description="Channel")
    def name_and_address(self, channel: NotificationChannel) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines"><strong>{}</strong><small>{}</small></span>',
            channel.name,
            address_of(channel),
        )

    @admin.display(description="Kind")
    def kind_label(self, channel: NotificationChannel) -> SafeString | str:
        kind = channels.find_kind(channel.kind)
        return display.badge(kind.label, kind.icon, "calm") if kind else channel.kind

    @admin.display(description="State")
    def state_label(self, channel: NotificationChannel) -> SafeString:
        return state_badge(channel)

    @admin.display(description="Last sent")
    def sent(self, channel: NotificationChannel) -> SafeString | str:
        return display.moment(channel.last_sent_at)

    @admin.display(description="Last failure")
    def failed(self, channel: NotificationChannel) -> SafeString | str:
        return display.moment(channel.last_failed_at) if channel.last_error else ""

    @admin.display(description="Last error")
    def error(self, channel: NotificationChannel) -> SafeString:
        return format_html('<span class="jobs-wrap">{}</span>', channel.last_error[:160])

    # The pages

    def get_urls(self) -> list[URLPattern]:
        controls = {"test": self.test_one, "enable": self.enable_one, "disable": self.disable_one}
        return [
            *[
                path(
                    f"<int:pk>/{name}/",
                    self.admin_site.admin_view(view),
                    name=f"jobs_notificationchannel_{name}",
                )
                for name, view in controls.items()
            ],
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """First its kind, then the form of that kind."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        kind = channels.find_kind(request.GET.get("kind", ""))
        if kind is None:
            context = {"title": "Add a channel", "kinds": channels.all_kinds()}
            return self._page(request, "admin/jobs/notificationchannel/choose.html", context)
        return self._form_page(request, NotificationChannel(kind=kind.name), kind)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        channel = self.get_object(request, object_id)
        if channel is None:
            raise Http404
        if not self.has_view_or_change_permission(request, channel):
            raise PermissionDenied
        return self._form_page(request, channel, channels.find_kind(channel.kind))

    def _form_page(
        self, request: HttpRequest, channel: NotificationChannel, kind: AnyKind | None
    ) -> HttpResponse:
        is_new = channel.pk is None
        may_write = is_new or (self.has_change_permission(request, channel) and kind is not None)
        if request.method == "POST" and not may_write:
            raise PermissionDenied
        secrets = configuration.opened_secrets(channel)
        form = ChannelForm(request.POST or None, instance=channel)
        settings = (
            SettingsForm(
                kind,
                secret_names=kind.parameters.secret_names(),
                data=request.POST or None,
                initial=channel.settings,
                secrets=secrets,
            )
            if kind
            else None
        )
        if request.method == "POST" and settings is not None:
            valid = [form.is_valid(), settings.is_valid()]
            if all(valid) and self._save(request, form, settings):
                messages.success(request, f"“{channel.name}” was saved. Send a test to see that it works.")
                return HttpResponseRedirect(page_of(channel))
        return self._page(
            request,
            "admin/jobs/notificationchannel/form.html",
            {
                "title": f"Add a channel: {kind.label}" if is_new and kind else str(channel),
                "channel": None if is_new else channel,
                "kind": kind,
                "form": form,
                "settings": settings,
                "may_write": may_write,
                "may_test": self.has_test_permission(request),
                "may_enable": self.has_enable_permission(request),
                "may_delete": not is_new and self.has_delete_permission(request, channel),
                "state": state_badge(channel),
                "has_unreadable_secrets": not is_new and configuration.secret_names(channel) is None,
                "recent": [] if is_new else _recent(request, channel),
            },
        )

    def _save(self, request: HttpRequest, form: ChannelForm, settings: SettingsForm) -> bool:
        try:
            configuration.save_channel(form.instance, settings=settings.values, by=user_of(request))
        except InvalidInput as error:
            for name, texts in error.fields.items():
                form.add_error(name if name in form.fields else None, texts)
            return False
        return True

    def delete_model(self, request: HttpRequest, obj: NotificationChannel) -> None:
        configuration.delete_channel(obj, by=user_of(request))

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[NotificationChannel]) -> Any:
        """Nothing: `configuration.delete_channel` writes the audit row."""

    # The controls

    def test_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Really send, and show what the other side said."""
        channel = self._controlled(request, pk, TEST)
        if isinstance(channel, HttpResponse):
            return channel
        try:
            tried = configuration.try_out(channel, by=user_of(request))
        except JobsError as error:
            messages.error(request, f"Nothing could be sent: {error}")
            return HttpResponseRedirect(page_of(channel))
        for one in tried:
            to = f" to {one.delivery.recipient}" if one.delivery.recipient else ""
            said = " ".join(part for part in (str(one.status or ""), one.answer) if part)
            if one.was_sent:
                messages.success(request, f"The test was sent{to}. Answer: {said or 'none'}")
            else:
                messages.error(request, f"The test was not sent{to}. {one.answer}")
        return HttpResponseRedirect(page_of(channel))

    def enable_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        channel = self._controlled(request, pk, ENABLE)
        if isinstance(channel, HttpResponse):
            return channel
        configuration.enable(channel, by=user_of(request))
        messages.success(request, f"“{channel}” is enabled: what waited is sent now.")
        return HttpResponseRedirect(page_of(channel))

    def disable_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        channel = self._controlled(request, pk, ENABLE)
        if isinstance(channel, HttpResponse):
            return channel
        configuration.disable(channel, by=user_of(request))
        messages.success(request, f"“{channel}” is disabled.")
        return HttpResponseRedirect(page_of(channel))

    def _controlled(
        self, request: HttpRequest, pk: int, permission: str
    ) -> NotificationChannel | HttpResponse:
        require(request, permission)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        channel = NotificationChannel.objects.filter(pk=pk).first()
        if channel is None:
            raise Http404
        return channel

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        return TemplateResponse(
            request, template, {**self.admin_site.each_context(request), "opts": self.opts, **context}
        )


def address_of(channel: NotificationChannel) -> str:
    """Where the channel leads, or why that cannot be told."""
    kind = channels.find_kind(channel.kind)
    if kind is None:
        return f"No code is left for the kind {channel.kind!r}."
    try:
        return kind.address(channels.read_settings(channel))
    except JobsError as error:
        return str(error)


def state_badge(channel: NotificationChannel) -> SafeString:
    """The channel's state: never colour alone."""
    if not channel.is_enabled:
        if channel.disabled_reason:
            return display.badge("Disabled: it failed", "error", "bad")
        return display.badge("Disabled", "toggle_off", "calm")
    if channel.failures_in_a_row:
        return display.badge(f"Failing ({channel.failures_in_a_row})", "warning", "warn")
    if channel.refused_recipients:
        return display.badge("Some refused", "warning", "warn")
    if channel.last_sent_at is None:
        return display.badge("Not used yet", "fiber_new", "calm")
    return display.badge("OK", "check_circle", "good")


def page_of(channel: NotificationChannel) -> str:
    return reverse("admin:jobs_notificationchannel_change", args=[channel.pk])


def _recent(request: HttpRequest, channel: NotificationChannel) -> list[Any]:
    if not request.user.has_perm("jobs.view_delivery"):
        return []
    return list(channel.deliveries.visible_to(request.user).defer("message").order_by("-pk")[:RECENT])

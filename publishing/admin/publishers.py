"""Publishers: how each does, the form of its kind, and the button that tries it out."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold import widgets

from jobs import display
from jobs.admin import navigation, subjects
from jobs.admin.base import ChangeList, ModelAdmin, require, user_of
from jobs.admin.deleting import MayRefuse
from jobs.admin.settings_form import SettingsForm
from jobs.errors import InvalidInput
from jobs.models import JobRun
from publishing import configuration, publishers, standing
from publishing.models import Publisher
from publishing.publishers.base import AnyKind
from publishing.standing import Standing

TEST, ENABLE = "publishing.test_publisher", "publishing.enable_publisher"

navigation.add(
    navigation.Entry(
        group="Publishing",
        title="Publishers",
        icon="podcasts",
        url_name="admin:publishing_publisher_changelist",
        permissions=("publishing.view_publisher",),
        order=240,
    )
)
subjects.add(
    "publisher_id",
    label="Publisher",
    url_name="admin:publishing_publisher_change",
    permission="publishing.view_publisher",
)

if TYPE_CHECKING:
    Form = forms.ModelForm[Publisher]
else:
    Form = forms.ModelForm


class PublisherForm(Form):
    """What every publisher has."""

    class Meta:
        model = Publisher
        fields = ("name", "lateness")
        widgets = {
            "name": widgets.UnfoldAdminTextInputWidget(),
            "lateness": widgets.UnfoldAdminTextInputWidget(attrs={"placeholder": "1:00:00"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lateness = self.fields["lateness"]
        lateness.help_text = f"{lateness.help_text} Hours:minutes:seconds, or days in front."


class PublisherList(ChangeList):
    """The list, with how each publisher of the page does."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        found = standing.of_publishers([row.pk for row in rows], reader=request.user)
        for row in rows:
            row.standing = found[row.pk]
        self.result_list: Any = rows


@admin.register(Publisher)
class PublisherAdmin(MayRefuse, ModelAdmin[Publisher]):
    list_display = ("name_and_kind", "state_label", "published", "waiting", "left", "tested")
    list_display_links = ("name_and_kind",)
    search_fields = ("name",)
    ordering = ("name",)
    sortable_by = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PublisherList

    def has_test_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(TEST)

    def has_enable_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ENABLE)

    # The list

    @admin.display(description="Publisher")
    def name_and_kind(self, publisher: Publisher) -> SafeString:
        kind = publishers.find_kind(publisher.kind)
        return format_html(
            '<span class="jobs-two-lines"><strong>{}</strong><small>{}</small></span>',
            publisher.name,
            kind.label if kind else publisher.kind,
        )

    @admin.display(description="State")
    def state_label(self, publisher: Publisher) -> SafeString:
        return state_badge(publisher)

    @admin.display(description="Last published")
    def published(self, publisher: Publisher) -> SafeString | str:
        return display.moment(_standing(publisher).last_published_at) or "never"

    @admin.display(description="Waiting")
    def waiting(self, publisher: Publisher) -> SafeString | str:
        return publications_link(publisher, _standing(publisher).waiting, "state__in=waiting,sending")

    @admin.display(description="Left to you")
    def left(self, publisher: Publisher) -> SafeString | str:
        return publications_link(publisher, _standing(publisher).left_to_people, "left=yes")

    @admin.display(description="Last test")
    def tested(self, publisher: Publisher) -> SafeString | str:
        run = _standing(publisher).last_test
        if run is None:
            return "none"
        return format_html(
            '<a class="jobs-inline" href="{}">{}<small>{}</small></a>',
            reverse("admin:jobs_jobrun_change", args=[run.pk]),
            display.status_badge(run.status),
            display.moment(run.finished_at or run.queued_at),
        )

    # The pages

    def get_urls(self) -> list[URLPattern]:
        controls = {
            "test": self.test_one,
            "enable": self.enable_one,
            "disable": self.disable_one,
            "last-test": self.last_test,
        }
        return [
            *[
                path(
                    f"<int:pk>/{name}/",
                    self.admin_site.admin_view(view),
                    name=f"publishing_publisher_{name.replace('-', '_')}",
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
        kind = publishers.find_kind(request.GET.get("kind", ""))
        if kind is None:
            kinds = [(kind.name, kind.label, kind.help_text) for kind in publishers.all_kinds()]
            context = {"title": "Add a publisher", "noun": "publisher", "kinds": kinds}
            return self._page(request, "admin/publishing/choose.html", context)
        return self._form_page(request, Publisher(kind=kind.name), kind)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        publisher = self.get_object(request, object_id)
        if publisher is None:
            raise Http404
        if not self.has_view_or_change_permission(request, publisher):
            raise PermissionDenied
        return self._form_page(request, publisher, publishers.find_kind(publisher.kind))

    def _form_page(self, request: HttpRequest, publisher: Publisher, kind: AnyKind | None) -> HttpResponse:
        is_new = publisher.pk is None
        name = publisher.name  # as it is stored: a form that is refused must not rename the page
        may_write = is_new or (self.has_change_permission(request, publisher) and kind is not None)
        if request.method == "POST" and not may_write:
            raise PermissionDenied
        form = PublisherForm(request.POST or None, instance=publisher)
        settings = _settings_form(request, publisher, kind)
        if request.method == "POST" and settings is not None:
            valid = [form.is_valid(), settings.is_valid()]
            if all(valid) and _save(request, form, settings):
                messages.success(request, f"“{publisher.name}” was saved. Test it to see that it works.")
                return HttpResponseRedirect(page_of(publisher))
        return self._page(
            request,
            "admin/publishing/publisher/form.html",
            {
                "title": f"Add a publisher: {kind.label}" if is_new and kind else name,
                "publisher": None if is_new else publisher,
                "kind": kind,
                "form": form,
                "settings": settings,
                "lost_settings": None if kind else publisher.settings,
                "may_write": may_write,
                "may_test": self.has_test_permission(request) and kind is not None,
                "may_enable": self.has_enable_permission(request),
                "may_delete": not is_new and self.has_delete_permission(request, publisher),
                "has_unreadable_secrets": not is_new and configuration.secret_names(publisher) is None,
                **({} if is_new else _about(request, publisher)),
            },
        )

    def delete_model(self, request: HttpRequest, obj: Publisher) -> None:
        configuration.delete(obj, by=user_of(request))

    # The controls

    def test_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Queue a run that tries it; the page shows what the run found."""
        publisher = self._controlled(request, pk, TEST)
        if isinstance(publisher, HttpResponse):
            return publisher
        run = configuration.test(publisher, by=user_of(request), trigger=JobRun.Trigger.ADMIN)
        if request.user.has_perm("jobs.view_jobrun"):
            messages.info(request, "The test was queued. Its result appears below.")
        else:
            messages.info(request, f"The test was queued as run {run.pk}. You may not see runs.")
        return HttpResponseRedirect(f"{page_of(publisher)}#test")

    def last_test(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the last test found, for the page that waits for it."""
        require(request, "publishing.view_publisher")
        publisher = get_object_or_404(Publisher, pk=pk)
        context = {"publisher": publisher, **_about(request, publisher)}
        return TemplateResponse(
            request, "admin/publishing/publisher/_test.html", context, headers={"Cache-Control": "no-store"}
        )

    def enable_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        publisher = self._controlled(request, pk, ENABLE)
        if isinstance(publisher, HttpResponse):
            return publisher
        configuration.enable(publisher, by=user_of(request))
        messages.success(request, f"“{publisher}” is enabled: what waits and is not too late goes out now.")
        return HttpResponseRedirect(page_of(publisher))

    def disable_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        publisher = self._controlled(request, pk, ENABLE)
        if isinstance(publisher, HttpResponse):
            return publisher
        configuration.disable(publisher, by=user_of(request))
        messages.success(request, f"“{publisher}” is disabled: nothing is sent to it.")
        return HttpResponseRedirect(page_of(publisher))

    def _controlled(self, request: HttpRequest, pk: int, permission: str) -> Publisher | HttpResponse:
        require(request, "publishing.view_publisher", permission)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        return get_object_or_404(Publisher, pk=pk)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        common = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, template, {**common, **context})


def state_badge(publisher: Publisher) -> SafeString:
    """Whether it gets anything: never colour alone."""
    if publishers.find_kind(publisher.kind) is None:
        return display.badge(f"No code for “{publisher.kind}”", "link_off", "bad")
    if not publisher.is_enabled:
        return display.badge("Disabled", "toggle_off", "calm")
    if configuration.secret_names(publisher) is None:
        return display.badge("Secrets unreadable", "key_off", "bad")
    return display.badge("Enabled", "check_circle", "good")


def page_of(publisher: Publisher) -> str:
    return reverse("admin:publishing_publisher_change", args=[publisher.pk])


def publications_link(publisher: Publisher, count: int, query: str) -> SafeString | str:
    """A number that leads to the publications it counts."""
    if not count:
        return "0"
    address = reverse("admin:publishing_publication_changelist")
    return format_html(
        '<a class="jobs-link" href="{}?publisher__id__exact={}&amp;{}">{}</a>',
        address,
        publisher.pk,
        query,
        count,
    )


def _standing(publisher: Publisher) -> Standing:
    """What the list has put beside the row."""
    found: Standing = getattr(publisher, "standing", Standing())
    return found


def _about(request: HttpRequest, publisher: Publisher) -> dict[str, Any]:
    found = standing.of_publisher(publisher, reader=request.user)
    return {
        "state": state_badge(publisher),
        "standing": found,
        "waiting": publications_link(publisher, found.waiting, "state__in=waiting,sending"),
        "left": publications_link(publisher, found.left_to_people, "left=yes"),
        "test": found.last_test,
        "is_testing": found.last_test is not None and found.last_test.status in JobRun.Status.active(),
    }


def _settings_form(request: HttpRequest, publisher: Publisher, kind: AnyKind | None) -> SettingsForm | None:
    if kind is None:
        return None
    return SettingsForm(
        kind,
        secret_names=kind.parameters.secret_names(),
        data=request.POST or None,
        initial=publisher.settings,
        secrets=configuration.opened(publisher),
    )


def _save(request: HttpRequest, form: PublisherForm, settings: SettingsForm) -> bool:
    try:
        configuration.save(form.instance, settings=settings.values, by=user_of(request))
    except InvalidInput as error:
        for name, texts in error.fields.items():
            inside = name.removeprefix("settings.")
            if inside != name and inside in settings.fields:
                settings.add_error(inside, texts)
            else:
                form.add_error(name if name in form.fields else None, texts)
        return False
    return True

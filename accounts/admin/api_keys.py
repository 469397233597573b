"""API keys: one's own, and for those who manage them everybody's. A key is shown once, when it is made."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold import widgets

from accounts import keys
from accounts.errors import KeyRefused
from accounts.models import ApiKey
from jobs import display
from jobs.admin import navigation
from jobs.admin.base import ReadOnlyAdmin, require

VIEW, ADD = "accounts.view_apikey", "accounts.add_apikey"
LOOKS = {"active": ("key", "good"), "expired": ("timer_off", "calm"), "revoked": ("key_off", "bad")}
LIFETIMES = {"30": "30 days", "90": "90 days", "365": "1 year", "": "Without end"}
OVERLAPS = {"0": "Not at all", "3600": "1 hour", "86400": "1 day", "604800": "7 days"}

navigation.add(
    navigation.Entry(
        group="People",
        title="API keys",
        icon="key",
        url_name="admin:accounts_apikey_changelist",
        permissions=(VIEW, keys.MANAGE),
        order=920,
    )
)


class KeyForm(forms.Form):
    """What a new key is for."""

    name = forms.CharField(
        max_length=100,
        help_text="What uses it, such as Deploys of the web site. The audit trail shows this name.",
        widget=widgets.UnfoldAdminTextInputWidget(),
    )
    owner: Any = forms.ModelChoiceField(
        User.objects.none(),
        required=False,
        empty_label="Myself",
        help_text="A service account, for programs that outlive the people who set them up.",
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    scopes = forms.MultipleChoiceField(
        help_text="What it may do, as far as its owner may do it at the time.",
        widget=forms.CheckboxSelectMultiple(),
    )
    lifetime = forms.ChoiceField(
        choices=list(LIFETIMES.items()),
        required=False,
        initial="90",
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    networks = forms.CharField(
        required=False,
        help_text="Addresses or networks it is taken from, one a line, such as 10.0.0.0/8. Empty: from anywhere.",
        widget=widgets.UnfoldAdminTextareaWidget({"rows": 2}),
    )

    def __init__(self, by: User, data: Any = None) -> None:
        super().__init__(data)
        scopes: Any = self.fields["scopes"]
        scopes.choices = [(name, name) for name in keys.scopes_for(by)]
        if by.has_perm(keys.MANAGE):
            owner: Any = self.fields["owner"]
            owner.queryset = User.objects.filter(is_active=True).exclude(pk=by.pk).order_by("username")
        else:
            del self.fields["owner"]

    def wish(self, by: User) -> dict[str, Any]:
        """The arguments of `keys.make`, of valid data."""
        given = self.cleaned_data
        days = given["lifetime"]
        return {
            "name": given["name"],
            "owner": given.get("owner") or by,
            "wanted": given["scopes"],
            "by": by,
            "expires_at": timezone.now() + timedelta(days=int(days)) if days else None,
            "networks": given["networks"].split(),
        }

    def show(self, errors: dict[str, list[str]]) -> None:
        for name, reasons in errors.items():
            self.add_error(name if name in self.fields else None, reasons)


class ReplaceForm(forms.Form):
    """How long the key that is replaced is still taken."""

    overlap = forms.ChoiceField(
        label="The old key is still taken for",
        choices=list(OVERLAPS.items()),
        initial="86400",
        widget=widgets.UnfoldAdminSelectWidget(),
    )


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin[ApiKey]):
    list_display = ("name", "state", "owner", "start", "scope_list", "used", "expires")
    list_select_related = ("owner",)
    list_filter = ()
    search_fields = ("name", "prefix", "owner__username")
    ordering = ("-pk",)
    sortable_by = ()
    actions = ("revoke_selected",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        rows = super().get_queryset(request)
        return rows if request.user.has_perm(keys.MANAGE) else rows.filter(owner_id=request.user.pk)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(VIEW) or request.user.has_perm(keys.MANAGE)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ADD)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ADD) or request.user.has_perm(keys.MANAGE)

    def get_urls(self) -> list[URLPattern]:
        pages = {"replace": self.replace_one, "revoke": self.revoke_one}
        mine = [
            path(
                f"<path:object_id>/{name}/", self.admin_site.admin_view(view), name=f"accounts_apikey_{name}"
            )
            for name, view in pages.items()
        ]
        return mine + super().get_urls()

    # Pages

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Say what it is for; then the key is shown, once."""
        require(request, ADD)
        by = _person(request)
        form = KeyForm(by, request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid():
            try:
                return self._shown(request, keys.make(**form.wish(by)))
            except KeyRefused as error:
                form.show(error.fields)
        context = {"title": "New API key", "form": form, "button": "Make the key"}
        return self._page(request, "admin/accounts/key_form.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method != "GET":
            raise PermissionDenied
        key = self._get(request, object_id)
        state = key.state(timezone.now())
        context = {
            "title": str(key),
            "original": key,
            "state": _badge(state),
            "may_change": state == "active" and self.has_revoke_permission(request),
            "may_replace": state == "active"
            and key.replaced_by_id is None
            and self.has_add_permission(request),
            "form": ReplaceForm(),
        }
        return self._page(request, "admin/accounts/key.html", context)

    def replace_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        require(request, ADD)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        key, form = self._get(request, object_id), ReplaceForm(request.POST)
        try:
            if not form.is_valid():
                raise KeyRefused({"overlap": [str(reason) for reason in form.errors["overlap"]]})
            overlap = timedelta(seconds=int(form.cleaned_data["overlap"]))
            new = keys.replace(key, by=_person(request), overlap=overlap)
        except KeyRefused as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:accounts_apikey_change", args=[key.pk]))
        return self._shown(request, new)

    def revoke_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_revoke_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        key = self._get(request, object_id)
        keys.revoke(key, by=_person(request))
        messages.success(request, f"{key} is not taken any more.")
        return HttpResponseRedirect(reverse("admin:accounts_apikey_change", args=[key.pk]))

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        if not self.has_revoke_permission(request):
            raise PermissionDenied
        chosen = list(queryset)
        for key in chosen:
            keys.revoke(key, by=_person(request))
        messages.success(request, f"Keys that are not taken any more: {len(chosen)}.")

    def _get(self, request: HttpRequest, object_id: str) -> ApiKey:
        pk = unquote(object_id)
        key = (
            self.get_queryset(request).select_related("owner", "replaced_by").filter(pk=pk).first()
            if (pk.isdecimal() and len(pk) < 19)
            else None
        )
        if key is None:
            raise Http404("There is no such key.")
        return key

    def _shown(self, request: HttpRequest, new: keys.NewKey) -> HttpResponse:
        context = {"title": "Copy the key now", "original": new.row, "secret": new.secret}
        return self._page(request, "admin/accounts/key_made.html", context)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        common = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, template, {**common, **context})

    # Columns

    @admin.display(description="State")
    def state(self, key: ApiKey) -> SafeString:
        return _badge(key.state(timezone.now()))

    @admin.display(description="Begins with")
    def start(self, key: ApiKey) -> str:
        return f"alm_{key.prefix}_…"

    @admin.display(description="Scopes")
    def scope_list(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description="Last used")
    def used(self, key: ApiKey) -> SafeString | str:
        return display.moment(key.last_used_at) if key.last_used_at else "never"

    @admin.display(description="Expires")
    def expires(self, key: ApiKey) -> SafeString | str:
        return display.moment(key.expires_at) if key.expires_at else "never"


def _badge(state: str) -> SafeString:
    return display.badge(state.capitalize(), *LOOKS[state])


def _person(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user

"""The page of one post: its text in a form, and beside it what there is to say about it."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse

from jobs.admin.base import user_of
from jobs.errors import IllegalState
from jobs.models import JobRun
from publishing import posts
from publishing.admin.post_form import PostForm
from publishing.admin.post_looks import LOOKS, status_badge
from publishing.admin.post_review import generation_of, review, trace
from publishing.admin.publications import address_there, state_badge
from publishing.admin.zones import viewer_zone
from publishing.models import Post
from publishing.posts import InvalidPost
from publishing.site.preview import preview

if TYPE_CHECKING:
    from publishing.admin.posts import PostAdmin

Status = Post.Status


class PostPage:
    """Writes or changes one post; shows it to those who may not, and while its state does not let anybody."""

    def __init__(self, admin: "PostAdmin", request: HttpRequest, post: Post | None) -> None:
        self.admin = admin
        self.request = request
        self.post = post
        self.possible = posts.possible(post) if post is not None else {"change"}
        may = admin.has_add_permission(request) if post is None else admin.has_change_permission(request)
        self.is_permitted = may
        self.may_write = may and "change" in self.possible
        if post is None and not may:
            raise PermissionDenied

    def response(self) -> HttpResponse:
        if self.request.method != "POST":
            return self._render(PostForm(instance=self._instance()))
        if not self.may_write:
            return self._refused()
        form = PostForm(self.request.POST, instance=self._instance())
        if "_check" in self.request.POST or not form.is_valid():
            return self._render(form)
        try:
            written = posts.write(self._instance(), form.changes, by=user_of(self.request))
        except InvalidPost as error:
            for name, reasons in error.fields.items():
                form.add_error(name if name in form.fields else None, reasons)
        except IllegalState as error:
            form.add_error(None, str(error))
        else:
            return self._leave(written)
        return self._render(form)

    def check(self) -> JsonResponse:
        """What there is to say about the text as it is typed now; nothing is saved."""
        self._require_writer()
        form = PostForm(self.request.POST, instance=self._instance())
        context = {"review": review(form.draft()), "errors": _errors(form), "original": self.post}
        html = render_to_string("admin/publishing/post/_review.html", context)
        return JsonResponse({"html": html})

    def preview(self) -> HttpResponse:
        """The post exactly as the built-in site shows it: as it is stored, or as it is typed now."""
        if self.request.method == "POST":
            self._require_writer()
            draft = PostForm(self.request.POST, instance=self._instance()).draft()
        elif self.post is not None:
            draft = self.post
        else:
            raise PermissionDenied
        draft.slug = draft.slug or "new-post"
        return preview(draft)

    def _require_writer(self) -> None:
        if not self.may_write or self.request.method != "POST":
            raise PermissionDenied

    def _instance(self) -> Post:
        """A fresh copy: checking a form writes what was typed into the one that it has."""
        if self.post is None:
            return Post(created_by_id=user_of(self.request).pk)
        return Post.objects.complete().get(pk=self.post.pk)

    def _refused(self) -> HttpResponse:
        if not self.is_permitted or self.post is None:
            raise PermissionDenied
        words = str(Status(self.post.status).label).lower()
        messages.error(self.request, f"Nothing was saved: a post that is {words} cannot be changed.")
        return self._render(PostForm(self.request.POST, instance=self._instance()))

    def _leave(self, written: Post) -> HttpResponse:
        if self.post is not None and "withdraw" in self.possible:
            messages.success(self.request, f"“{written}” was saved. Its publishers get the change now.")
        else:
            messages.success(self.request, f"“{written}” was saved.")
        if "_continue" in self.request.POST or "_addanother" not in self.request.POST:
            return HttpResponseRedirect(page_of(written))
        return HttpResponseRedirect(reverse("admin:publishing_post_add"))

    def _render(self, form: PostForm) -> HttpResponse:
        shown = self.post
        is_typed = form.is_bound and self.may_write
        # `draft` checks the form, so its errors are known from here on.
        draft = form.draft() if is_typed else (shown or form.instance)
        is_blank = not is_typed and shown is None
        context: dict[str, Any] = {
            **self.admin.admin_site.each_context(self.request),
            "opts": self.admin.opts,
            "title": shown.title if shown else "New post",
            "original": shown,
            "form": form,
            "review": None if is_blank else review(draft),
            "errors": {},
            "is_typed": is_typed,
            "may_write": self.may_write,
            "may_delete": shown is not None and self.admin.has_delete_permission(self.request, shown),
            "zone": viewer_zone(self.request).key,
        }
        if shown is not None:
            context |= self._state(shown)
        status = 403 if form.is_bound and not self.may_write else 200
        return TemplateResponse(
            self.request, "admin/publishing/post/change_form.html", context, status=status
        )

    def _state(self, post: Post) -> dict[str, Any]:
        generation = generation_of(post)
        rows = post.publications.select_related("publisher").order_by("pk")
        run_id = generation.run_id if generation else None
        sees_runs = self.request.user.has_perm("jobs.view_jobrun")
        runs = (
            JobRun.objects.visible_to(self.request.user).filter(pk=run_id) if run_id and sees_runs else None
        )
        return {
            "status": status_badge(post.status),
            "generation": generation,
            "trace": trace(generation) if generation else None,
            "run_id": run_id if runs is not None and runs.exists() else None,
            "publications": [(row, state_badge(row), address_there(row)) for row in rows],
            "transitions": [
                (step, LOOKS.get(step.after, ("circle", "calm"))) for step in post.transitions.all()
            ],
            "actions": self.admin.actions_on(self.request, post),
            "reaches_publishers": "change" in self.possible and "withdraw" in self.possible,
        }


def page_of(post: Post) -> str:
    return reverse("admin:publishing_post_change", args=[post.pk])


def _errors(form: PostForm) -> dict[str, list[str]]:
    """By the name that the form shows."""
    return {
        str(form.fields[name].label or form[name].label) if name in form.fields else "": [
            str(text) for text in reasons
        ]
        for name, reasons in form.errors.items()
        if name != "seen"
    }

"""The pages of the sample guidelines: their feed, and a page for each."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import feedgenerator, timezone
from django.views.decorators.http import require_safe

from knowledge.sample.guidelines import NOTICE, PATH, TITLE, guidelines, newest_first


@require_safe
def show_feed(request: HttpRequest) -> HttpResponse:
    """The feed; 404 while the sample world is off, as if there were nothing."""
    _only_in_sample_world()
    today, base = timezone.now().date(), settings.SAMPLE_WORLD_URL.rstrip("/")
    document = feedgenerator.Atom1Feed(
        title=TITLE,
        link=f"{base}/sample/knowledge/",
        description=NOTICE,
        language="en",
        feed_url=f"{base}{PATH}",
        subtitle=NOTICE,
    )
    for one in newest_first(today):
        document.add_item(
            title=one.title,
            link=f"{base}{one.path}",
            description=f"{one.text} {NOTICE}",
            pubdate=one.reviewed_at(today),
            updateddate=one.reviewed_at(today),
            unique_id=f"tag:sample.almanac,2026:guidelines/{one.slug}",
            unique_id_is_permalink=False,
            categories=one.categories,
        )
    return HttpResponse(
        document.writeString("utf-8"),
        content_type="application/atom+xml; charset=utf-8",
        headers={"Cache-Control": "max-age=300"},
    )


@require_safe
def show_guideline(request: HttpRequest, slug: str) -> HttpResponse:
    """The page that an entry links to."""
    _only_in_sample_world()
    one = guidelines().get(slug)
    if one is None:
        raise Http404("There is no such sample guideline.")
    context = {"guideline": one, "reviewed_on": one.reviewed_on(timezone.now().date()), "notice": NOTICE}
    return render(request, "knowledge/sample/guideline.html", context)


def _only_in_sample_world() -> None:
    if not settings.SAMPLE_WORLD_URL:
        raise Http404

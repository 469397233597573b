"""The page of a post: written, checked, previewed; what stands beside the text; nothing that was typed is lost."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.models import AuditEvent, JobRun
from jobs.tests.staff import signed_in, staff
from publishing import tasks
from publishing.admin.post_form import CHANGED_MEANWHILE, PostForm
from publishing.models import Generation, Post, PostSource, PostTransition, Publication, UsageRecord
from publishing.tests.articles import articles
from publishing.tests.factories import (
    make_agent,
    make_item,
    make_post,
    make_publication,
    make_publisher,
    make_run,
    make_source,
    put_on_site,
)

pytestmark = pytest.mark.django_db

POSTS = "/admin/publishing/post/"
EVIL = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"


@pytest.fixture
def client():
    return signed_in(staff(*(f"publishing.{what}_post" for what in ("view", "add", "change", "delete"))))


@pytest.fixture
def looker():
    return signed_in(staff("publishing.view_post", name="looker"))


def page_of(post: Post) -> str:
    return f"{POSTS}{post.pk}/change/"


def fields(post: Post, **changes) -> dict[str, str]:
    """What the form of a post holds, with changes."""
    form = PostForm(instance=Post.objects.get(pk=post.pk))
    return {name: form[name].value() or "" for name in form.fields} | changes


def shown(client, post: Post) -> str:
    answer = client.get(page_of(post))
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_a_post_is_written_with_everything_about_it(client):
    typed = {
        "title": "Ferries", "body_html": "<p>They sail.</p>", "language": "de-AT", "tags": "Boats, Sea ,",
        "keywords": "ferry, winter timetable", "meta_title": "Ferries in winter", "excerpt": "Soon.",
    }  # fmt: skip
    answer = client.post(f"{POSTS}add/", typed)
    post = Post.objects.get()
    assert answer["Location"] == page_of(post)
    assert (post.tags, post.keywords) == (["Boats", "Sea"], ["ferry", "winter timetable"])
    assert (post.language, post.created_by, post.slug) == ("de-AT", answer.wsgi_request.user, "ferries")
    assert 'value="ferry, winter timetable"' in shown(client, post)
    assert AuditEvent.objects.filter(subject_type="publishing.post", subject_id=str(post.pk)).count() == 1


def test_saving_what_is_published_says_that_publishers_get_it(client):
    publication = put_on_site(title="Old")
    page = shown(client, publication.post)
    assert "every publisher that has it gets the change" in page
    answer = client.post(page_of(publication.post), fields(publication.post, title="New"), follow=True)
    assert "Its publishers get the change now." in answer.content.decode()
    assert JobRun.objects.get().job == "publishing.update_publications"
    publication.refresh_from_db()
    assert (publication.errand, publication.post.title) == ("update", "New")


def test_a_bad_form_loses_nothing_that_was_typed(client):
    post = make_post(title="Old")
    typed = fields(
        post, title="New & <better>", body_html="<p>Long new text</p>", meta_title="x" * 71, tags="One, Two",
        canonical_url="not an address",
    )  # fmt: skip
    answer = client.post(page_of(post), typed)
    page = answer.content.decode()
    assert answer.status_code == 200
    for text in (
        "New &amp; &lt;better&gt;",
        "&lt;p&gt;Long new text&lt;/p&gt;",
        "x" * 71,
        "One, Two",
        "not an address",
    ):
        assert text in page
    assert {"meta_title", "canonical_url"} == set(answer.context["form"].errors)
    post.refresh_from_db()
    assert post.title == "Old"


def test_an_address_that_another_post_has_is_refused_in_place(client):
    make_post(slug="taken")
    post = make_post()
    answer = client.post(page_of(post), fields(post, slug="taken", body_html="<p>Typed</p>"))
    assert "already exists" in str(answer.context["form"].errors["slug"])
    assert "&lt;p&gt;Typed&lt;/p&gt;" in answer.content.decode()


def test_two_who_edit_at_a_time_hear_of_each_other_and_lose_nothing(client):
    post = make_post(title="Old")
    mine = fields(post, title="Mine")
    assert client.post(page_of(post), fields(post, title="Theirs")).status_code == 302
    refused = client.post(page_of(post), mine)
    assert CHANGED_MEANWHILE in refused.content.decode()
    post.refresh_from_db()
    assert post.title == "Theirs"
    again = {**mine, "seen": refused.context["form"]["seen"].value()}
    assert client.post(page_of(post), again).status_code == 302
    post.refresh_from_db()
    assert post.title == "Mine"


def test_checking_without_javascript_keeps_what_was_typed_and_saves_nothing(client):
    post = make_post(title="Old")
    typed = fields(post, title="A title about ferries", keywords="ferries", meta_title="y" * 80)
    page = client.post(page_of(post), {**typed, "_check": "1"}).content.decode()
    assert 'value="A title about ferries"' in page
    assert "Put the keyword “ferries” into the text" not in page
    assert "Keyword in the title" in page and "10 of 10" not in page  # its title in search results has none
    post.refresh_from_db()
    assert post.title == "Old"


def test_the_live_check_scores_what_is_typed_and_tells_what_is_wrong(client):
    post = make_post()
    typed = fields(
        post, title=EVIL, body_html="<p>Boats sail.</p>", keywords="boats", meta_title="y" * 80, language="ja"
    )
    answer = client.post(f"{POSTS}{post.pk}/check/", typed)
    html = answer.json()["html"]
    assert "Not applicable" in html
    assert "no Flesch formula has been published for the language “ja”" in html
    assert "Title in search results: Ensure this value has at most 70 characters (it has 80)." in html
    assert "50.00 %" in html
    assert EVIL not in html
    assert client.post(f"{POSTS}check/", {"title": "", "body_html": ""}).status_code == 200
    assert Post.objects.get().title == post.title


@pytest.mark.parametrize("language", ["en", "", "x" * 40, "\x00", "de'"])
def test_nothing_typed_breaks_the_check(client, language):
    typed = {
        "title": "\x00",
        "body_html": "<p>" * 5000 + "<a href='http://['>x</a>",
        "slug": "ü/..",
        "language": language,
        "canonical_url": "http://[",
    }
    assert client.post(f"{POSTS}check/", typed).status_code == 200
    assert client.post(f"{POSTS}add/", {**typed, "_check": "1"}).status_code == 200
    assert client.post(f"{POSTS}preview/", typed).status_code == 200


def test_the_preview_is_the_page_of_the_site_and_no_search_engine_keeps_it(client):
    post = make_post(title="Ferries", body_html="<p>They sail.</p>")
    answer = client.get(f"{POSTS}{post.pk}/preview/")
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert answer["Cache-Control"].startswith("private, no-store")
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    page = answer.content.decode()
    assert '<article class="post">' in page and "<p>They sail.</p>" in page
    typed = fields(post, title="Boats", body_html=f"<p>New {EVIL}</p>")
    page = client.post(f"{POSTS}{post.pk}/preview/", typed).content.decode()
    assert "Boats" in page and "<p>New </p>" in page
    post.refresh_from_db()
    assert post.title == "Ferries"


def test_the_preview_looks_as_the_post_will_look(client):
    publication = put_on_site(title="Ferries", tags=["Boats"], body_html="<h2>One</h2><p>They sail.</p>")
    there = client.get(f"/blog/posts/{publication.post.slug}/").content
    assert client.get(f"{POSTS}{publication.post_id}/preview/").content == there


def test_only_those_who_may_see_and_write(looker):
    post = make_post(title="Old")
    page = shown(looker, post)
    assert 'name="_save"' not in page and '<fieldset class="jobs-plain" disabled>' in page
    assert looker.get(f"{POSTS}{post.pk}/preview/").status_code == 200
    for address in (f"{post.pk}/change/", f"{post.pk}/check/", "check/", f"{post.pk}/preview/", "add/"):
        assert looker.post(f"{POSTS}{address}", {"title": "New", "body_html": "x"}).status_code == 403, (
            address
        )
    stranger = signed_in(staff("publishing.change_source", name="stranger"))
    for address in (f"{post.pk}/change/", f"{post.pk}/check/", f"{post.pk}/preview/", ""):
        assert stranger.get(f"{POSTS}{address}").status_code == 403, address
    assert looker.get(f"{POSTS}{post.pk + 1}/change/").status_code == 404
    post.refresh_from_db()
    assert post.title == "Old"


def test_beside_the_text_stands_what_it_comes_from_and_how_it_was_written(client):
    agent = make_agent(name="The Round-up")
    post = make_post(
        agent=agent, notes=["Short on words."],
        body_html='<p>Bare.</p><p>Sealed <a href="https://a.example/1">there</a>.</p>',
    )  # fmt: skip
    PostSource.objects.create(
        post=post, position=1, title="Seals", url="https://a.example/1", source_name="Notes"
    )
    PostSource.objects.create(
        post=post, position=2, title="Unused", url="javascript:alert(1)", source_name="Notes"
    )
    generation = Generation.objects.create(
        agent=agent, post=post, writer="openai", brief={}, state="done", began_at=timezone.now(), ended_at=timezone.now(),
    )  # fmt: skip
    generation.steps.create(name="outline", result={}, ended_at=timezone.now())
    UsageRecord.objects.create(
        agent=agent, generation=generation, step="outline", model="small-1", tokens_in=1200, tokens_out=34,
        cost="0.0123", at=timezone.now(),
    )  # fmt: skip
    page = shown(client, post)
    assert 'id="source-1"' in page and 'href="https://a.example/1"' in page
    assert 'Sealed there. <a class="post-cite" href="#source-1"' in page
    assert "1 of 2 link to nothing" in page
    assert "The text does not link to it." in page and "javascript:" not in page
    for text in ("Short on words.", "small-1", "1200 + 34", "$0.0123", "outline"):
        assert text in page


def test_a_post_that_says_the_same_as_an_earlier_one_links_to_it(client):
    words = " ".join(f"word{number}" for number in range(200))
    typed = {"title": "First", "body_html": f"<p>{words}</p>", "language": "en"}
    client.post(f"{POSTS}add/", typed)
    first = Post.objects.get()
    html = client.post(f"{POSTS}check/", {**typed, "title": "Another"}).json()["html"]
    assert "is that of the post “First”" in html
    assert page_of(first) in html


def test_titles_notes_reasons_and_names_are_shown_as_text(client):
    agent = make_agent(name=EVIL)
    publication = make_publication(
        make_publisher(name=EVIL), reason=EVIL, remote_url=f"https://a.example/{EVIL}"
    )
    Post.objects.update(title=EVIL, notes=[EVIL], agent=agent, keywords=[EVIL], meta_description=EVIL)
    post = publication.post
    PostTransition.objects.create(post=post, after="draft", at=timezone.now(), note=EVIL)
    PostSource.objects.create(post=post, position=1, title=EVIL, url="https://a.example/", source_name=EVIL)
    for address in (page_of(post), POSTS, f"{POSTS}{post.pk}/approve/", f"{POSTS}{post.pk}/preview/"):
        user = signed_in(
            staff("publishing.view_post", "publishing.review_post", name=f"u{len(address)}{address[-4]}")
        )
        page = user.get(address).content.decode()
        assert EVIL not in page.replace(f"{EVIL}\n<", ""), address
        assert ESCAPED in page, address


def test_a_post_written_by_the_digest_is_shown_with_its_sources(client, settings):
    source = make_source()
    for article in articles(8):
        make_item(
            source,
            title=article.title,
            url=article.url,
            published_at=timezone.now(),
            content_html=article.html,
        )
    agent = make_agent(sources=[source], length="short", max_items=8)
    written = tasks.generate_post(make_run(), agent_id=agent.pk)
    assert written.is_written, written
    page = shown(client, Post.objects.get())
    post = Post.objects.get()
    assert page.count('class="post-cite"') == post.sources.count() > 2
    assert "none: no model was used" in page


def test_a_page_asks_the_database_no_more_for_more_to_show(client):
    def queries(post: Post) -> int:
        with CaptureQueriesContext(connection) as found:
            shown(client, post)
        return len(found)

    few, many = make_post(), make_post()
    for post, number in ((few, 1), (many, 20)):
        for position in range(number):
            PostSource.objects.create(
                post=post,
                position=position,
                title="x",
                url=f"https://a.example/{position}",
                source_name="Notes",
            )
            PostTransition.objects.create(post=post, after="draft", at=timezone.now())
            Publication.objects.create(post=post, publisher=make_publisher(), due_at=timezone.now())
    assert queries(many) <= queries(few) <= 30

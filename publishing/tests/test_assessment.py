"""What an editor is told about a post, as the database knows its neighbours."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from publishing import assessment, posts
from publishing.assessment import assess
from publishing.models import Post, PostFingerprint
from publishing.tests.articles import article

pytestmark = pytest.mark.django_db


def written(number: int, title: str = "", html: str = "") -> Post:
    found = article(number)
    changes = {"title": title or found.title, "body_html": html or found.html, "keywords": ["harbour"]}
    return posts.write(Post(), changes, by=None)


def near(post: Post):
    return assess(post, url="https://blog.example/p/").duplicate


def test_a_post_that_repeats_an_earlier_one_names_it():
    earlier, repeated = written(1), written(2, html=article(1).html + "<p>And a sentence more.</p>")
    found = near(repeated)
    assert found is not None and found.post_id == earlier.pk
    assert "of its text is that of the post" in str(found)
    assert near(written(3)) is None


def test_the_same_title_is_told_too_whatever_the_text():
    earlier, again = (
        written(1, title="The tide tables of November"),
        written(2, title="Tide tables of the November"),
    )
    found = near(again)
    assert found is not None and found.post_id == earlier.pk and "title" in str(found)


def test_only_candidates_are_read_whole():
    for number in range(1, 30):
        written(number)
    repeated = written(40, html=article(7).html)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert near(repeated) is not None
    assert len(queries) <= 4
    sizes = [len(runs) for runs in PostFingerprint.objects.values_list("sketch", flat=True)]
    assert max(sizes) == 32


def test_what_was_said_more_than_a_year_ago_may_be_said_again():
    earlier = written(1)
    Post.objects.filter(pk=earlier.pk).update(created_at=timezone.now() - timedelta(days=400))
    assert near(written(2, html=article(1).html)) is None


def test_a_changed_post_is_compared_by_its_new_text():
    earlier = written(1)
    posts.write(earlier, {"body_html": article(9).html}, by=None)
    assert near(written(2, html=article(1).html)) is None
    assert near(written(3, html=article(9).html)) is not None


def test_the_score_of_a_post_is_kept_with_it_and_is_that_of_its_assessment():
    post = written(1)
    found = assess(post, url="https://blog.example/p/")
    assert (post.score, post.word_count) == (found.score.total, found.score.word_count)
    assert found.problems == () and found.json_ld["wordCount"] == post.word_count
    assert assessment.author_of(post).name == "The editors"

"""`posts/{id}/preview/`: what there is to say about a post before it goes out."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from publishing import assessment, posts
from publishing.models import Post
from publishing.seo.keywords import Verdict
from publishing.seo.score import Part
from publishing.seo.text import Document
from publishing.site import body


class ScorePartSerializer(serializers.Serializer[Part]):
    key = serializers.CharField(help_text="A short name that does not change.")
    name = serializers.CharField()
    points = serializers.IntegerField()
    maximum = serializers.IntegerField()
    counts = serializers.BooleanField(help_text="False: it does not apply to this post, and is left out.")
    advice = serializers.CharField(help_text="What to do, or that all is well.")


class ScoreSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField(help_text="0 to 100.")
    is_publishable = serializers.BooleanField(help_text="High enough to go out unseen.")
    note = serializers.CharField(help_text="Which parts are left out, and why.")
    parts = ScorePartSerializer(many=True)


class SnippetSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(help_text="As it is shown: cut where it is too long.")
    is_title_cut = serializers.BooleanField()
    title_pixels = serializers.IntegerField(help_text="How wide the whole title is, about.")
    breadcrumb = serializers.CharField()
    description = serializers.CharField()
    is_description_cut = serializers.BooleanField()
    is_description_from_text = serializers.BooleanField(
        help_text="There is no meta description: the text's beginning stands in for it."
    )


class ReadabilitySerializer(serializers.Serializer[Any]):
    score = serializers.FloatField(allow_null=True, help_text="0, hard, to 100, easy; null: there is none.")
    level = serializers.CharField()
    reason = serializers.CharField(help_text="The formula, or why there is no score.")
    is_applicable = serializers.BooleanField(help_text="Whether the language has a formula.")
    words = serializers.IntegerField()
    sentences = serializers.IntegerField()
    syllables = serializers.IntegerField()


class KeywordSerializer(serializers.Serializer[Any]):
    keyword = serializers.CharField()
    occurrences = serializers.IntegerField()
    percent = serializers.FloatField(help_text="Of the words.")
    verdict = serializers.ChoiceField(choices=[verdict.value for verdict in Verdict])


class LinkedSourceSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    item = serializers.IntegerField(allow_null=True, help_text="Id of the item; null: it was deleted.")
    title = serializers.CharField()
    url = serializers.CharField()
    source_name = serializers.CharField()
    links = serializers.ListField(
        child=serializers.CharField(),
        help_text="The words that link to it; none: the text does not link to it.",
    )


class PostPreviewSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(help_text="Where readers will find it, as far as that is known.")
    html = serializers.CharField(help_text="The text as it will stand on the built-in site.")
    word_count = serializers.IntegerField()
    score = ScoreSerializer()
    advice = serializers.ListField(child=serializers.CharField(), help_text="What else can be mended.")
    snippet = SnippetSerializer(help_text="What a search result will show.")
    readability = ReadabilitySerializer()
    keywords = KeywordSerializer(many=True, help_text="The main keyword first.")
    json_ld = serializers.DictField()
    json_ld_problems = serializers.ListField(child=serializers.CharField())
    duplicate = inline_serializer(
        "NearDuplicate",
        {
            "post_id": serializers.IntegerField(),
            "title": serializers.CharField(),
            "text_similarity": serializers.FloatField(help_text="0 to 1."),
            "title_similarity": serializers.FloatField(help_text="0 to 1."),
            "message": serializers.CharField(),
        },
        allow_null=True,
        help_text="A post of the last year that says much the same.",
    )
    sources = LinkedSourceSerializer(many=True)
    notes = serializers.ListField(child=serializers.CharField(), help_text="What its writer noted.")


def preview(post: Post) -> dict[str, Any]:
    """The answer's body."""
    url = posts.address_of(post)
    found, document = assessment.assess(post, url=url), assessment.read(post.body_html)
    duplicate = found.duplicate
    answer = {
        "url": url,
        "html": body.for_page(post.body_html),
        "word_count": found.score.word_count,
        "score": found.score,
        "advice": found.advice,
        "snippet": found.snippet,
        "readability": found.score.readability,
        "keywords": found.score.keywords,
        "json_ld": found.json_ld,
        "json_ld_problems": found.problems,
        "duplicate": None if duplicate is None else {**asdict(duplicate), "message": str(duplicate)},
        "sources": list(_sources(post, document)),
        "notes": post.notes,
    }
    return dict(PostPreviewSerializer(answer).data)


def _sources(post: Post, document: Document) -> Iterator[dict[str, Any]]:
    for row in post.sources.all():
        yield {
            "position": row.position,
            "item": row.item_id,
            "title": row.title,
            "url": row.url,
            "source_name": row.source_name,
            "links": [link.text for link in document.links if row.url and link.url == row.url],
        }

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from publishing.seo.structured_data import Author, article, for_script, problems

AT = datetime(2026, 11, 22, 9, 30, 15, 123, tzinfo=timezone(timedelta(hours=1)))


def data_of(**changes):
    values: dict[str, Any] = {
        "headline": "Roses in winter",
        "author": Author("Ada"),
        "published_at": AT,
        "description": "How to keep them.",
        "word_count": 812,
        "keywords": ["roses", " winter ", "roses", ""],
        "url": "https://blog.example/roses",
        "language": "en",
    }
    return article(**(values | changes))


def test_an_article_has_every_property():
    assert data_of() == {
        "@context": "https://schema.org",
        "@type": "Article",
        "headline": "Roses in winter",
        "author": {"@type": "Person", "name": "Ada"},
        "datePublished": "2026-11-22T09:30:15+01:00",
        "dateModified": "2026-11-22T09:30:15+01:00",
        "description": "How to keep them.",
        "wordCount": 812,
        "keywords": ["roses", "winter"],
        "mainEntityOfPage": {"@type": "WebPage", "@id": "https://blog.example/roses"},
        "url": "https://blog.example/roses",
        "inLanguage": "en",
    }
    assert problems(data_of()) == ()


def test_what_is_optional_is_added():
    data = data_of(
        author=Author("Almanac", "Organization", "https://blog.example/"),
        image_url="https://blog.example/i.png",
        publisher="The blog",
        modified_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
    assert data["author"] == {"@type": "Organization", "name": "Almanac", "url": "https://blog.example/"}
    assert data["image"] == ["https://blog.example/i.png"]
    assert data["publisher"] == {"@type": "Organization", "name": "The blog"}
    assert data["dateModified"] == "2026-11-23T00:00:00+00:00"
    assert problems(data) == ()


def test_long_headlines_and_descriptions_are_cut():
    data = data_of(headline="word " * 50, description="word " * 100)
    assert 100 < len(data["headline"]) <= 110
    assert 190 < len(data["description"]) <= 200
    assert problems(data) == ()


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        data_of(published_at=datetime(2026, 11, 22))


@pytest.mark.parametrize(
    "name",
    [
        "@context",
        "@type",
        "headline",
        "author",
        "datePublished",
        "dateModified",
        "description",
        "wordCount",
        "keywords",
        "mainEntityOfPage",
        "inLanguage",
    ],
)
def test_every_missing_property_is_named(name):
    data = data_of()
    del data[name]
    assert [str(problem) for problem in problems(data)] == [f"{name}: is missing"]


def test_an_empty_object_lacks_everything():
    assert len(problems({})) == 11


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("@context", "https://other.example", "is not https://schema.org"),
        ("@type", "Recipe", "is not a kind of Article"),
        ("@type", ["Article"], "is not a kind of Article"),
        ("headline", " ", "is empty"),
        ("headline", "x" * 111, "has more than 110 characters"),
        ("headline", 7, "is not text"),
        ("author", "Ada", "is not an object with @type and name"),
        ("author", [], "is empty"),
        ("author", {"@type": "Person", "name": ""}, "has no name"),
        ("author", {"@type": "Cat", "name": "Tom"}, "has an @type that is neither Person nor Organization"),
        (
            "author",
            {"@type": ["Person"], "name": "x"},
            "has an @type that is neither Person nor Organization",
        ),
        ("datePublished", "yesterday", "is not a date and time in ISO 8601"),
        ("datePublished", "2026-11-22T09:30:15", "has no time zone"),
        ("datePublished", "2026-11-22", "has no time zone"),
        ("dateModified", 5, "is not text"),
        ("dateModified", "2026-11-21T00:00:00Z", "is before datePublished"),
        ("wordCount", 0, "is not a whole number above zero"),
        ("wordCount", True, "is not a whole number above zero"),
        ("wordCount", "812", "is not a whole number above zero"),
        ("keywords", {"a": 1}, "is neither text nor a list of texts"),
        ("keywords", ["a", ""], "has an entry that is empty or not text"),
        ("mainEntityOfPage", "/roses", "is not an absolute http or https address"),
        ("mainEntityOfPage", {"@type": "WebPage"}, "is not an absolute http or https address"),
        ("mainEntityOfPage", "http://[bad", "is not an absolute http or https address"),
        ("inLanguage", "English language", "is not a language tag such as “en” or “pt-BR”"),
        ("image", ["/i.png"], "is not an absolute http or https address"),
        ("url", "javascript:x()", "is not an absolute http or https address"),
        ("publisher", {"@type": "Organization"}, "has no name"),
    ],
)
def test_every_wrong_property_is_named(name, value, message):
    assert [str(problem) for problem in problems(data_of() | {name: value})] == [f"{name}: {message}"]


def test_other_ways_to_write_the_same_are_fine():
    data = data_of() | {
        "@context": "http://schema.org/",
        "@type": "NewsArticle",
        "author": [{"@type": "Person", "name": "A"}, {"@type": "Person", "name": "B"}],
        "keywords": "roses, winter",
        "mainEntityOfPage": "https://blog.example/roses",
        "image": {"@type": "ImageObject", "url": "https://blog.example/i.png"},
        "inLanguage": "zh-Hant-TW",
    }
    assert problems(data) == ()


def test_nothing_in_the_data_ends_its_script_element():
    data = data_of(headline="</script><script>alert(1)</script> & more <!--")
    text = for_script(data)
    assert "<" not in text and ">" not in text and "&" not in text
    assert json.loads(text) == data


def test_the_page_shows_what_the_validator_says():
    page = (Path(__file__).resolve().parents[2] / "docs/seo.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    imports, expression, shown = block.strip().replace("\n\n", "\n").split("\n")
    namespace: dict[str, Any] = {}
    exec(imports, namespace)
    assert eval(expression, namespace) == eval(shown.removeprefix("# "))

"""`/blog/`: the built-in site."""

from django.urls import path, re_path

from publishing.site import views

app_name = "site"
urlpatterns = [
    path("", views.front, name="front"),
    path("posts/<slug:slug>/", views.post, name="post"),
    path("archive/", views.archive, name="archive"),
    path("archive/<int:year>/<int:month>/", views.month, name="month"),
    path("atom.xml", views.feed, {"kind": "atom"}, name="atom"),
    path("rss.xml", views.feed, {"kind": "rss"}, name="rss"),
    path("feed.json", views.feed, {"kind": "json"}, name="json"),
    path("sitemap.xml", views.sitemap_index, name="sitemap"),
    path("sitemap-pages.xml", views.sitemap_of_pages, name="sitemap-pages"),
    path("sitemap-<int:part>.xml", views.sitemap_of_posts, name="sitemap-part"),
    path("topics/", views.topics, name="topics"),
    # A tag may be anything, slashes too.
    path("tags/<path:tag>/atom.xml", views.feed, {"kind": "atom"}, name="tag-atom"),
    path("tags/<path:tag>/rss.xml", views.feed, {"kind": "rss"}, name="tag-rss"),
    path("tags/<path:tag>/feed.json", views.feed, {"kind": "json"}, name="tag-json"),
    path("tags/<path:tag>/", views.tag, name="tag"),
    re_path(r"^(?P<rest>.*)$", views.unknown, name="unknown"),
]

"""`/sample/`: the sample world."""

from django.urls import path

from publishing.sample import views

urlpatterns = [
    path("<slug:name>.xml", views.show_feed, name="sample-feed-xml"),
    path("<slug:name>.json", views.show_feed, name="sample-feed-json"),
    path("<slug:name>/<int:number>/", views.show_entry, name="sample-entry"),
]

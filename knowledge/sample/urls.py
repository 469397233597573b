"""`/sample/knowledge/`: guidelines to try Almanac with."""

from django.urls import path

from knowledge.sample import views

urlpatterns = [
    path("guidelines.xml", views.show_feed, name="sample-guidelines"),
    path("<slug:slug>/", views.show_guideline, name="sample-guideline"),
]

from django.apps import AppConfig


class TestingConfig(AppConfig):
    name = "tests.jobs_for_tests"
    label = "testing"

"""How good the search is: queries that people have judged, and how the search did on them over time."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from knowledge.models.paper import Paper


class JudgedQuery(models.Model):
    """A query with what a good search finds for it: terms that must occur, papers that answer, or both."""

    text = models.CharField(max_length=1000, unique=True)
    expected_terms = ArrayField(
        models.CharField(max_length=200),
        default=list,
        blank=True,
        help_text="At least one of them occurs in a good result.",
    )
    is_enabled = models.BooleanField("enabled", default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["text"]
        verbose_name_plural = "judged queries"

    def __str__(self) -> str:
        return self.text


class Judgement(models.Model):
    """How well a paper answers a judged query: 0 not at all, 1 partly, 2 well."""

    query = models.ForeignKey(JudgedQuery, on_delete=models.CASCADE, related_name="judgements")
    paper = models.ForeignKey(Paper, on_delete=models.CASCADE, related_name="judgements")
    grade = models.PositiveSmallIntegerField(
        choices=[(0, "Not at all"), (1, "Partly"), (2, "Well")], default=2
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["query", "paper"], name="knowledge_judgement_once"),
        ]

    def __str__(self) -> str:
        return f"{self.paper}: {self.get_grade_display()}"


class Evaluation(models.Model):
    """How the search did on all enabled judged queries at one time, as it was then."""

    at = models.DateTimeField(default=timezone.now)
    run_id = models.UUIDField(null=True, blank=True)
    mode = models.CharField(max_length=10)
    top_k = models.PositiveSmallIntegerField()
    model = models.CharField(max_length=200, blank=True, help_text="Whose vectors were asked.")
    queries = models.PositiveIntegerField()
    hit_rate = models.FloatField(
        null=True, help_text="Share of queries with an expected term or paper found."
    )
    ndcg = models.FloatField("nDCG", null=True, help_text="Mean over the queries with judged papers.")
    recall = models.FloatField(null=True, help_text="Mean over the queries with judged papers.")
    details = models.JSONField(default=list, help_text="Each query with its figures and what was found.")

    class Meta:
        ordering = ["-at", "-pk"]
        permissions = [("run_evaluation", "Can evaluate the search")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} UTC"

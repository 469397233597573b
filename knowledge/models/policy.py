"""What holds for all of knowledge: one row, edited in the admin."""

from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from knowledge.chunking import Mode


class KnowledgePolicy(models.Model):
    """How updates, cleaning and answers are done here. There is one row; the configuration file fills it at first."""

    mode = models.CharField(
        max_length=8,
        choices=[(mode.value, mode.value.capitalize()) for mode in Mode],
        default=Mode.BALANCED.value,
        help_text="How finely papers and documents are cut into passages.",
    )
    papers_per_topic = models.PositiveSmallIntegerField(
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
        help_text="For new topics, 1 to 20.",
    )
    days_back = models.PositiveSmallIntegerField(
        default=7,
        validators=[MinValueValidator(1), MaxValueValidator(90)],
        help_text="For new topics, 1 to 90.",
    )
    embedder = models.CharField(
        max_length=40, default="minilm", help_text="What makes vectors of new passages."
    )
    keep_papers_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        default=None,
        help_text="Papers older than this, which no topic finds any more and no answer cites, are deleted; empty: none.",
    )
    keep_documents_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        default=90,
        help_text="Uploaded documents that no answer cites are deleted after so many days; empty: never.",
    )
    keep_outcomes_days = models.PositiveIntegerField(
        default=30, help_text="What became of single papers in single runs is kept so long."
    )
    outdated_after_years = models.PositiveSmallIntegerField(
        default=10, help_text="Answers mark what is older as outdated."
    )
    answer_threshold = models.FloatField(
        default=0.42,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Questions whose best passage is less similar than this are not answered.",
    )
    tell_success = models.BooleanField(
        "tell of success", default=False, help_text="Whether updates that went well are notified."
    )
    tell_failure = models.BooleanField(
        "tell of failure", default=True, help_text="Whether updates that failed, also in part, are notified."
    )

    class Meta:
        verbose_name = "policy"
        verbose_name_plural = "policy"
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="knowledge_one_policy"),
        ]

    def __str__(self) -> str:
        return "Policy"

    @classmethod
    def current(cls) -> Self:
        """The one row, made with its defaults if nobody has configured anything yet."""
        return cls.objects.get_or_create(pk=1)[0]

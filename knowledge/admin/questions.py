"""Questions and their answers: everybody sees their own, and those who may, everybody's. Nobody changes an answer."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import ModelAdmin, require, user_of
from knowledge import answers
from knowledge.admin import box
from knowledge.admin.answer_page import AnswerPage
from knowledge.answers import InvalidQuestion
from knowledge.models import Answer, Question

VIEW, VIEW_ALL = "knowledge.view_question", "knowledge.view_all_questions"

navigation.add(
    navigation.Entry(
        group="Knowledge",
        title="Questions",
        icon="forum",
        url_name="admin:knowledge_question_changelist",
        permissions=(VIEW,),
        order=305,
    )
)


@admin.register(Question)
class QuestionAdmin(ModelAdmin[Question]):
    list_display = ("question", "state_label", "writer", "sources_cited", "asker", "asked")
    list_display_links = ("question",)
    list_filter = ("answer__state", "answer__feedback__is_helpful")
    list_select_related = ("answer", "asked_by")
    search_fields = ("text",)
    search_help_text = "Words of the question"
    ordering = ("-asked_at", "-pk")
    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Question]:
        return seen_by(request).prefetch_related("answer__citations").order_by(*self.ordering)

    @admin.display(description="Question")
    def question(self, question: Question) -> SafeString:
        return format_html('<span class="jobs-wrap">{}</span>', question.text[:200])

    @admin.display(description="Answer")
    def state_label(self, question: Question) -> SafeString:
        answer = getattr(question, "answer", None)
        if answer is None:
            return display.badge("Not yet", "hourglass_empty", "busy")
        if answer.state == Answer.State.REFUSED:
            return display.badge("Refused", "do_not_disturb_on", "warn")
        return display.badge("Answered", "check_circle", "good")

    @admin.display(description="Writer")
    def writer(self, question: Question) -> str:
        answer = getattr(question, "answer", None)
        return answer.writer if answer else ""

    @admin.display(description="Citations")
    def sources_cited(self, question: Question) -> str:
        answer = getattr(question, "answer", None)
        return str(len(answer.citations.all())) if answer and answer.citations.all() else ""

    @admin.display(description="Asked by")
    def asker(self, question: Question) -> str:
        return str(question.asked_by or "")

    @admin.display(description="When")
    def asked(self, question: Question) -> SafeString | str:
        return display.moment(question.asked_at)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        question = self.get_object(request, object_id)
        if question is None:
            raise Http404
        if not self.has_view_permission(request, question):
            raise PermissionDenied
        return AnswerPage(request, question).response()

    def get_urls(self) -> list[URLPattern]:
        feedback = path(
            "<int:pk>/feedback/",
            self.admin_site.admin_view(require_POST(_feedback)),
            name="knowledge_question_feedback",
        )
        return [feedback, *super().get_urls()]


def seen_by(request: HttpRequest) -> QuerySet[Question]:
    """The questions that somebody may read."""
    if request.user.has_perm(VIEW_ALL):
        return Question.objects.all()
    return Question.objects.filter(asked_by_id=user_of(request).pk)


def page_of(question: Question) -> str:
    return reverse("admin:knowledge_question_change", args=[question.pk])


def _feedback(request: HttpRequest, pk: int) -> HttpResponse:
    require(request, VIEW, box.ASK)
    question = get_object_or_404(seen_by(request).select_related("answer"), pk=pk)
    answer = getattr(question, "answer", None)
    if answer is None:
        messages.error(request, "There is no answer yet that could be judged.")
    elif (said := request.POST.get("helpful")) not in ("yes", "no"):
        messages.error(request, "Say whether it was helpful or not.")
    else:
        try:
            answers.give_feedback(answer, said == "yes", request.POST.get("comment", ""), by=user_of(request))
        except InvalidQuestion as error:
            messages.error(
                request, " ".join(reason for reasons in error.fields.values() for reason in reasons)
            )
        else:
            messages.success(request, "Thank you: your word on the answer is kept.")
    return HttpResponseRedirect(f"{page_of(question)}#feedback")

"""`research/` and `medical/chat/`: asking, what was asked before, and what readers think of answers."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from jobs.api.answers import conflict, person
from jobs.api.fields import FiniteFloatField
from jobs.api.pagination import NewestFirst
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.permissions import Needed
from jobs.models import JobRun
from knowledge import answers, embedding, spaces
from knowledge.answers import asking, history
from knowledge.answers.feedback import LONGEST_COMMENT
from knowledge.api.answer_output import STATES, AnswerOutputSerializer, output
from knowledge.api.search_input import FiltersSerializer, filters_of
from knowledge.models import Answer, Feedback, KnowledgePolicy, Passage, Question

_ASK = ("knowledge.view_question", "knowledge.ask_question")
_NO_VECTORS = conflict("Nobody here can make a vector of the question.")
_WAITS = OpenApiResponse(
    AnswerOutputSerializer, description="A worker writes it; `Location` is where it will be."
)


class _AskingSerializer(StrictSerializer):
    session_id = serializers.UUIDField(
        required=False, help_text="Of earlier questions of yours; left out: a new one."
    )
    writer = serializers.CharField(
        max_length=30,
        default=answers.DEFAULT_KIND,
        help_text="Who puts the words together; see `research/config/`.",
    )
    filters = FiltersSerializer(required=False)


class ChatInputSerializer(_AskingSerializer):
    query = serializers.CharField(max_length=asking.LONGEST)
    max_papers = serializers.IntegerField(
        min_value=1,
        max_value=asking.MOST_PAPERS,
        default=asking.PAPERS,
        help_text="How many papers and documents an answer may stand on.",
    )
    similarity_threshold = FiniteFloatField(
        min_value=0,
        max_value=1,
        required=False,
        allow_null=True,
        help_text="What is less similar is no evidence; left out: as the policy says.",
    )
    perspectives = serializers.BooleanField(
        default=False, help_text="Whether the writer's experts discuss it first; a language model is needed."
    )
    enable_arxiv_fallback = serializers.BooleanField(
        default=False, help_text="Whether arXiv is asked when fewer than two papers here are similar enough."
    )


class MessageInputSerializer(_AskingSerializer):
    message = serializers.CharField(max_length=asking.LONGEST)


class ChatView(APIView):
    permission_of: ClassVar[Needed] = {"post": _ASK}

    @extend_schema(
        operation_id="research_chat",
        request=ChatInputSerializer,
        responses={200: AnswerOutputSerializer, 202: _WAITS, 409: _NO_VECTORS},
    )
    def post(self, request: Request) -> Response:
        """Ask a question. It is answered at once, unless a language model or arXiv is needed: then it is 202."""
        wanted = read_body(ChatInputSerializer, request)
        return _asked(
            request,
            wanted,
            wanted["query"],
            "query",
            perspectives=wanted["perspectives"],
            max_papers=wanted["max_papers"],
            threshold=wanted.get("similarity_threshold"),
            arxiv=wanted["enable_arxiv_fallback"],
        )


class MessageView(APIView):
    permission_of: ClassVar[Needed] = {"post": _ASK}

    @extend_schema(
        operation_id="chat_message",
        request=MessageInputSerializer,
        responses={200: AnswerOutputSerializer, 202: _WAITS, 409: _NO_VECTORS},
    )
    def post(self, request: Request) -> Response:
        """The same as `research/chat/` for programs that send messages."""
        wanted = read_body(MessageInputSerializer, request)
        return _asked(request, wanted, wanted["message"], "message")


def _asked(request: Request, wanted: dict[str, Any], text: str, field: str, **wishes: Any) -> Response:
    session = wanted.get("session_id")
    user = person(request)
    if session is not None and Question.objects.filter(session=session).exclude(asked_by=user).exists():
        raise serializers.ValidationError({"session_id": ["This is a session of somebody else."]})
    try:
        question = answers.ask(
            text,
            filters=filters_of(wanted.get("filters", {})),
            session=session,
            writer=wanted["writer"],
            by=user,
            trigger=JobRun.Trigger.API,
            **wishes,
        )
    except answers.InvalidQuestion as error:
        named = {"text": field, "threshold": "similarity_threshold"}
        raise serializers.ValidationError(
            {named.get(name, name): texts for name, texts in error.fields.items()}
        ) from error
    return _answer(question, request)


def _answer(question: Question, request: Request) -> Response:
    found = output(question, request)
    is_waiting = found["state"] == "waiting"
    return Response(
        AnswerOutputSerializer(found).data,
        status=status.HTTP_202_ACCEPTED if is_waiting else status.HTTP_200_OK,
        headers={"Location": request.build_absolute_uri(_address(question))} if is_waiting else None,
    )


def _address(question: Question) -> str:
    return reverse("api:knowledge-question-detail", args=[question.pk])


class QuestionSummarySerializer(serializers.ModelSerializer[Question]):
    session_id = serializers.UUIDField(source="session")
    state = serializers.SerializerMethodField()
    reason = serializers.CharField(source="answer.reason", default="")
    answer_id = serializers.IntegerField(source="answer.pk", default=None, allow_null=True)

    class Meta:
        model = Question
        fields: ClassVar[list[str]] = ["id", "text", "session_id", "asked_at", "state", "reason", "answer_id"]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_state(self, question: Question) -> str:
        answer: Answer | None = getattr(question, "answer", None)
        return "waiting" if answer is None else answer.state


class HistoryViewSet(mixins.ListModelMixin, GenericViewSet[Question]):
    queryset = Question.objects.select_related("answer")
    serializer_class = QuestionSummarySerializer
    pagination_class = NewestFirst
    filter_backends = ()
    permission_of: ClassVar[Needed] = {
        "list": "knowledge.view_question",
        "retrieve": "knowledge.view_question",
        "destroy": "knowledge.view_question",
    }

    def get_queryset(self) -> Any:
        return answers.seen_by(person(self.request)).select_related("answer")

    @extend_schema(operation_id="chat_history_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Your questions, the newest first; everybody's with the permission knowledge.view_all_questions."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="chat_history_retrieve", responses=AnswerOutputSerializer)
    def retrieve(self, request: Request, pk: int) -> Response:
        """A question with its answer as it is now: retractions since are shown."""
        return Response(AnswerOutputSerializer(output(self.get_object(), request)).data)

    @extend_schema(
        operation_id="chat_history_delete",
        request=None,
        responses={204: OpenApiResponse(description="It is gone.")},
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a question with its answer: one of yours, or with knowledge.delete_question anybody's."""
        question = self.get_object()
        user = person(request)
        needed = _ASK[1] if question.asked_by_id == user.pk else "knowledge.delete_question"
        if not (user.has_perm(needed) or user.has_perm("knowledge.delete_question")):
            self.permission_denied(request, f"This needs the permission {needed}.")
        answers.delete(question, by=user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class FeedbackInputSerializer(StrictSerializer):
    is_helpful = serializers.BooleanField()
    comment = serializers.CharField(max_length=LONGEST_COMMENT, allow_blank=True, default="")


class FeedbackSerializer(serializers.ModelSerializer[Feedback]):
    class Meta:
        model = Feedback
        fields: ClassVar[list[str]] = ["id", "answer", "is_helpful", "comment", "given_at"]
        read_only_fields = fields


class FeedbackViewSet(GenericViewSet[Any]):
    queryset = Answer.objects.all()
    serializer_class = FeedbackSerializer
    filter_backends = ()
    permission_of: ClassVar[Needed] = {"give": _ASK}

    def get_queryset(self) -> Any:
        return Answer.objects.filter(question__in=answers.seen_by(person(self.request)))

    @extend_schema(
        operation_id="answers_feedback", request=FeedbackInputSerializer, responses={200: FeedbackSerializer}
    )
    def give(self, request: Request, pk: int) -> Response:
        """Say whether an answer was helpful. A second word replaces the first."""
        answer = self.get_object()
        given = answers.give_feedback(
            answer, **read_body(FeedbackInputSerializer, request), by=person(request)
        )
        return Response(FeedbackSerializer(given).data)


class AnswerWriterSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name is what clients see
    is_usable = serializers.BooleanField()
    why_not = serializers.CharField(help_text="Why it cannot be used here; empty if it can.")
    is_slow = serializers.BooleanField(help_text="A worker does it.")
    roles = serializers.ListField(child=serializers.CharField(), help_text="Its experts, for perspectives.")


class AnsweringConfigSerializer(serializers.Serializer[Any]):
    writers = AnswerWriterSerializer(many=True)
    default_writer = serializers.CharField()
    longest_query = serializers.IntegerField()
    most_papers = serializers.IntegerField()
    default_papers = serializers.IntegerField()
    similarity_threshold = serializers.FloatField(help_text="Of the policy.")
    outdated_after_years = serializers.IntegerField()
    model = serializers.CharField(help_text="Whose vectors are asked; empty: there are none yet.")
    disclaimer = serializers.CharField()


class ResearchConfigView(APIView):
    permission_of: ClassVar[Needed] = {"get": "knowledge.view_question"}

    @extend_schema(operation_id="research_config", responses=AnsweringConfigSerializer)
    def get(self, request: Request) -> Response:
        """What can be asked for, and what holds here."""
        policy, model = KnowledgePolicy.current(), spaces.live()
        found = {
            "writers": _writers(),
            "default_writer": answers.DEFAULT_KIND,
            "longest_query": asking.LONGEST,
            "most_papers": asking.MOST_PAPERS,
            "default_papers": asking.PAPERS,
            "similarity_threshold": policy.answer_threshold,
            "outdated_after_years": policy.outdated_after_years,
            "model": model.name if model else "",
            "disclaimer": answers.NOT_ADVICE,
        }
        return Response(AnsweringConfigSerializer(found).data)


def _writers() -> list[dict[str, Any]]:
    known = [answers.get(kind) for kind in answers.kinds()]
    return [
        {
            "kind": writer.kind,
            "label": writer.label,
            "is_usable": not writer.why_not(),
            "why_not": writer.why_not(),
            "is_slow": writer.is_slow,
            "roles": list(writer.roles),
        }
        for writer in known
    ]


class AnsweringHealthSerializer(serializers.Serializer[Any]):
    is_ready = serializers.BooleanField(help_text="Whether questions can be answered by quotations.")
    problems = serializers.ListField(child=serializers.CharField(), help_text="Why not, and what is lacking.")
    is_indexed = serializers.BooleanField(help_text="Whether there is any passage.")
    model = serializers.CharField(help_text="Whose vectors are asked; empty: there are none yet.")
    writers = AnswerWriterSerializer(many=True)


class ResearchHealthView(APIView):
    permission_of: ClassVar[Needed] = {"get": "knowledge.view_question"}

    @extend_schema(operation_id="research_health", responses=AnsweringHealthSerializer)
    def get(self, request: Request) -> Response:
        """Whether questions can be answered, and what is lacking. Asks no other service."""
        model, is_indexed = spaces.live(), Passage.objects.exists()
        stops = [] if is_indexed else ["Nothing is indexed yet."]
        if model is not None:
            try:
                spaces.embedder_of(model.name)
            except embedding.EmbeddingError as error:
                stops.append(str(error))
        lacks = [] if model else ["There are no vectors yet: only words are compared."]
        found = {
            "is_ready": not stops,
            "problems": stops + lacks,
            "is_indexed": is_indexed,
            "model": model.name if model else "",
            "writers": _writers(),
        }
        return Response(AnsweringHealthSerializer(found).data)


class AnsweringFiguresSerializer(serializers.Serializer[history.Figures]):
    questions = serializers.IntegerField()
    answered = serializers.IntegerField()
    refused = serializers.IntegerField()
    waiting = serializers.IntegerField()
    answered_share = serializers.FloatField(
        allow_null=True, help_text="Of those with an answer or a refusal."
    )
    refusals = serializers.DictField(child=serializers.IntegerField(), help_text="By their code.")
    writers = serializers.DictField(child=serializers.IntegerField(), help_text="By their kind.")
    citations = serializers.IntegerField()
    helpful = serializers.IntegerField()
    not_helpful = serializers.IntegerField()


class ResearchStatsView(APIView):
    permission_of: ClassVar[Needed] = {"get": "knowledge.view_question"}

    @extend_schema(operation_id="research_stats", responses=AnsweringFiguresSerializer)
    def get(self, request: Request) -> Response:
        """How the questions that you may see were answered."""
        return Response(AnsweringFiguresSerializer(history.figures(answers.seen_by(person(request)))).data)

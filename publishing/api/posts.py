"""`posts/` and `publications/`: writing, deciding, scheduling, publishing, and what became of it."""

from typing import Any, ClassVar

import django_filters
from django.db.models import Q, QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from jobs.api import idempotency
from jobs.api.answers import STARTED, conflict, person, started
from jobs.api.fields import IdField, MomentField
from jobs.api.filters import IdFilter, MomentFilter
from jobs.api.pagination import NewestFirst
from jobs.api.parsing import StrictSerializer, read_body
from jobs.models import JobRun
from publishing import errands, posts, publications
from publishing.api.agents import QUOTA_EXCEEDED, write
from publishing.api.post_output import PostDetailSerializer, PostSerializer
from publishing.api.post_pages import PostPages
from publishing.api.post_preview import PostPreviewSerializer, preview
from publishing.models import Agent, Post, Publication, PublicationAttempt, Publisher

_PUBLISH = "publishing.publish_post"
_WENT_OUT = conflict("It is on its way or went out.")


class PostInputSerializer(StrictSerializer):
    title = serializers.CharField(max_length=300)
    body_html = serializers.CharField(
        max_length=500_000, help_text="HTML; what is not harmless is taken out."
    )
    slug = serializers.SlugField(
        max_length=90, required=False, help_text="Made of the title; with a number when another post has it."
    )
    excerpt = serializers.CharField(max_length=2_000, allow_blank=True, required=False)
    language = serializers.RegexField(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=100), max_length=50, required=False)
    keywords = serializers.ListField(
        child=serializers.CharField(max_length=100), max_length=50, required=False
    )
    meta_title = serializers.CharField(max_length=70, allow_blank=True, required=False)
    meta_description = serializers.CharField(max_length=160, allow_blank=True, required=False)
    canonical_url = serializers.URLField(max_length=2000, allow_blank=True, required=False)


class DecisionSerializer(StrictSerializer):
    note = serializers.CharField(max_length=500, allow_blank=True, default="")


class PublishersSerializer(StrictSerializer):
    publishers = serializers.ListField(
        child=serializers.IntegerField(), min_length=1, max_length=50, help_text="Ids of publishers."
    )

    def validate_publishers(self, ids: list[int]) -> list[Publisher]:
        found = Publisher.objects.in_bulk(ids)
        if missing := sorted(set(ids) - set(found)):
            raise serializers.ValidationError(f"There is no publisher {missing[0]}.")
        return list(found.values())


class PostScheduleSerializer(PublishersSerializer):
    scheduled_at = MomentField()


class PostFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    status = django_filters.MultipleChoiceFilter(
        choices=Post.Status.choices, help_text="Several are possible."
    )
    agent = IdFilter(field_name="agent_id", help_text="Id of the agent that wrote it.")
    title = django_filters.CharFilter(lookup_expr="icontains", help_text="Part of the title.")
    q = django_filters.CharFilter(
        method="by_words", help_text="Part of the title or the excerpt; or exactly a tag or a keyword."
    )
    tag = django_filters.CharFilter(method="by_tag", help_text="Exactly this tag.")
    scheduled_after = MomentFilter(field_name="scheduled_at", lookup_expr="gte")
    scheduled_before = MomentFilter(field_name="scheduled_at", lookup_expr="lt")

    published_after = MomentFilter(field_name="published_at", lookup_expr="gte")
    published_before = MomentFilter(field_name="published_at", lookup_expr="lt")

    class Meta:
        model = Post
        fields: list[str] = []

    def by_words(self, queryset: QuerySet[Post], name: str, text: str) -> QuerySet[Post]:
        in_texts = Q(title__icontains=text) | Q(excerpt__icontains=text)
        return queryset.filter(in_texts | Q(tags__contains=[text]) | Q(keywords__contains=[text]))

    def by_tag(self, queryset: QuerySet[Post], name: str, tag: str) -> QuerySet[Post]:
        return queryset.filter(tags__contains=[tag])


class GenerateSerializer(StrictSerializer):
    agent_id = IdField(Agent.objects.all(), source="agent", help_text="Who writes it.")
    topic = serializers.CharField(
        max_length=300,
        allow_blank=True,
        default="",
        help_text="Left out: the agent's, or what its sources bring.",
    )
    target_keyword = serializers.CharField(
        source="keyword",
        max_length=100,
        allow_blank=True,
        default="",
        help_text="Left out: the agent's first.",
    )


class PostViewSet(mixins.ListModelMixin, GenericViewSet[Post]):
    queryset = Post.objects.all()
    filterset_class = PostFilter
    pagination_class = PostPages
    permission_of: ClassVar = {
        "list": "publishing.view_post",
        "create": "publishing.add_post",
        "generate": "publishing.run_agent",
        "retrieve": "publishing.view_post",
        "preview": "publishing.view_post",
        "partial_update": "publishing.change_post",
        "destroy": "publishing.delete_post",
        "submit": "publishing.change_post",
        "approve": "publishing.review_post",
        "reject": "publishing.review_post",
        "schedule": "publishing.publish_post",
        "publish": "publishing.publish_post",
        "withdraw": "publishing.publish_post",
    }

    def get_serializer_class(self) -> type[PostSerializer]:
        return PostSerializer if self.action == "list" else PostDetailSerializer

    def get_queryset(self) -> QuerySet[Post]:
        found = super().get_queryset()
        return found.defer("body_html", "notes") if self.action == "list" else found

    @extend_schema(operation_id="posts_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Posts without their text, the newest first or as `ordering` says."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="posts_create", request=PostInputSerializer, responses={201: PostDetailSerializer}
    )
    def create(self, request: Request) -> Response:
        """Write a post; it is a draft."""
        body = read_body(PostInputSerializer, request)
        post = posts.write(Post(created_by_id=request.user.pk), body, by=person(request))
        return self._answer(post, status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="posts_generate",
        request=GenerateSerializer,
        parameters=[idempotency.HEADER],
        responses={
            202: STARTED,
            402: QUOTA_EXCEEDED,
            409: conflict("The agent is disabled, or the key was used with other words."),
        },
    )
    def generate(self, request: Request) -> Response:
        """Let an agent write a post now. That may take minutes: the run's result names the post once it is there."""
        return started(write(request, **read_body(GenerateSerializer, request)), request)

    @extend_schema(operation_id="posts_retrieve")
    def retrieve(self, request: Request, pk: int) -> Response:
        """One post with its text, its way, what it stands on and how it was written."""
        return self._answer(self.get_object())

    @extend_schema(operation_id="posts_preview", responses=PostPreviewSerializer)
    def preview(self, request: Request, pk: int) -> Response:
        """What there is to say about a post before it goes out: score, search result, structured data, its like."""
        return Response(preview(self.get_object()))

    @extend_schema(
        operation_id="posts_change",
        request=PostInputSerializer(partial=True),
        responses={200: PostDetailSerializer, 409: conflict("It is on its way, or was taken back.")},
    )
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change a post. One that went out is changed everywhere; that needs the permission publishing.publish_post, too."""
        post = self.get_object()
        if posts.is_out(post) and not person(request).has_perm(_PUBLISH):
            self.permission_denied(request, f"To change what went out needs the permission {_PUBLISH}.")
        serializer = PostInputSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self._answer(posts.write(post, serializer.validated_data, by=person(request)))

    @extend_schema(
        operation_id="posts_delete",
        request=None,
        responses={204: OpenApiResponse(description="It is gone."), 409: _WENT_OUT},
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a post that has not gone out."""
        posts.delete(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        operation_id="posts_submit",
        request=DecisionSerializer,
        responses={200: PostDetailSerializer, 409: conflict("It is no draft.")},
    )
    def submit(self, request: Request, pk: int) -> Response:
        """Ask for a review of a draft."""
        return self._decide(request, Post.Status.IN_REVIEW)

    @extend_schema(
        operation_id="posts_approve",
        request=DecisionSerializer,
        responses={200: PostDetailSerializer, 409: conflict("It is neither a draft nor in review.")},
    )
    def approve(self, request: Request, pk: int) -> Response:
        """Approve a post."""
        return self._decide(request, Post.Status.APPROVED)

    @extend_schema(
        operation_id="posts_reject",
        request=DecisionSerializer,
        responses={200: PostDetailSerializer, 409: conflict("It is a draft, or went out.")},
    )
    def reject(self, request: Request, pk: int) -> Response:
        """Make a draft of it again; what was scheduled is not sent."""
        return self._decide(request, Post.Status.DRAFT)

    @extend_schema(
        operation_id="posts_schedule",
        request=PostScheduleSerializer,
        responses={200: PostDetailSerializer, 409: _WENT_OUT},
    )
    def schedule(self, request: Request, pk: int) -> Response:
        """Let it go out at a moment to come; one that is scheduled is moved."""
        body = read_body(PostScheduleSerializer, request)
        post = posts.schedule(self.get_object(), body["scheduled_at"], body["publishers"], by=person(request))
        return self._answer(post)

    @extend_schema(
        operation_id="posts_publish",
        request=PublishersSerializer,
        responses={202: STARTED, 409: _WENT_OUT},
    )
    def publish(self, request: Request, pk: int) -> Response:
        """Let it go out now."""
        chosen = read_body(PublishersSerializer, request)["publishers"]
        run = posts.publish_now(self.get_object(), chosen, by=person(request), trigger=JobRun.Trigger.API)
        return started(run, request)

    @extend_schema(
        operation_id="posts_withdraw",
        request=None,
        responses={
            202: STARTED,
            409: conflict("No publisher has it, or one that has it cannot take it back."),
        },
    )
    def withdraw(self, request: Request, pk: int) -> Response:
        """Take a post that went out back from every publisher that has it."""
        run = posts.withdraw(self.get_object(), by=person(request), trigger=JobRun.Trigger.API)
        return started(run, request)

    def _decide(self, request: Request, decision: Post.Status) -> Response:
        note = read_body(DecisionSerializer, request)["note"]
        return self._answer(posts.decide(self.get_object(), decision, by=person(request), note=note))

    def _answer(self, post: Post, code: int = status.HTTP_200_OK) -> Response:
        fresh = Post.objects.complete().get(pk=post.pk)
        return Response(PostDetailSerializer(fresh, context=self.get_serializer_context()).data, status=code)


class PublicationAttemptSerializer(serializers.ModelSerializer[PublicationAttempt]):
    class Meta:
        model = PublicationAttempt
        fields = ["what", "began_at", "ended_at", "outcome", "status", "message", "run_id"]
        read_only_fields = fields


class PublicationSerializer(serializers.ModelSerializer[Publication]):
    class Meta:
        model = Publication
        fields = [
            "id", "post", "publisher", "marker", "state", "reason", "due_at", "next_attempt_at", "attempts_made",
            "looks_made", "remote_id", "remote_url", "published_at", "revision", "errand",
        ]  # fmt: skip
        read_only_fields = fields


class PublicationDetailSerializer(PublicationSerializer):
    attempts = PublicationAttemptSerializer(many=True, read_only=True)

    class Meta(PublicationSerializer.Meta):
        fields = [*PublicationSerializer.Meta.fields, "attempts"]
        read_only_fields = fields


class SeenThereSerializer(StrictSerializer):
    url = serializers.URLField(max_length=2000, allow_blank=True, default="", help_text="Its address there.")


class PublicationFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    post = IdFilter(field_name="post_id", help_text="Id of the post.")
    publisher = IdFilter(field_name="publisher_id", help_text="Id of the publisher.")
    state = django_filters.MultipleChoiceFilter(
        choices=Publication.State.choices, help_text="Several are possible."
    )

    class Meta:
        model = Publication
        fields: list[str] = []


class PublicationViewSet(mixins.ListModelMixin, GenericViewSet[Publication]):
    queryset = Publication.objects.all()
    filterset_class = PublicationFilter
    pagination_class = NewestFirst
    permission_of: ClassVar = {
        "list": "publishing.view_publication",
        "retrieve": "publishing.view_publication",
        "send_again": "publishing.publish_post",
        "confirm": "publishing.publish_post",
        "try_again": "publishing.publish_post",
    }

    def get_serializer_class(self) -> type[PublicationSerializer]:
        return PublicationSerializer if self.action == "list" else PublicationDetailSerializer

    @extend_schema(operation_id="publications_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What went or goes out where, the newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="publications_retrieve")
    def retrieve(self, request: Request, pk: int) -> Response:
        """One post at one publisher, with every attempt."""
        return self._answer()

    @extend_schema(
        operation_id="publications_send_again",
        request=None,
        responses={
            200: PublicationDetailSerializer,
            409: conflict("It is published, or somebody is at work on it."),
        },
    )
    def send_again(self, request: Request, pk: int) -> Response:
        """Send one that failed, was missed or is unconfirmed once more. Look there first: it may be there."""
        publications.send_again(self.get_object(), by=person(request))
        return self._answer()

    @extend_schema(
        operation_id="publications_confirm",
        request=SeenThereSerializer,
        responses={200: PublicationDetailSerializer, 409: conflict("It is not unconfirmed.")},
    )
    def confirm(self, request: Request, pk: int) -> Response:
        """Say that an unconfirmed post is there."""
        url = read_body(SeenThereSerializer, request)["url"]
        publications.confirm(self.get_object(), url=url, by=person(request))
        return self._answer()

    @extend_schema(
        operation_id="publications_try_again",
        request=None,
        responses={200: PublicationDetailSerializer, 409: conflict("There is nothing left to try.")},
    )
    def try_again(self, request: Request, pk: int) -> Response:
        """Try once more to change the post there, or to take it back."""
        errands.try_again(self.get_object(), by=person(request))
        return self._answer()

    def _answer(self) -> Response:
        return Response(PublicationDetailSerializer(self.get_object()).data)

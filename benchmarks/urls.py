"""The product's URLs, and two endpoints that do next to nothing, to compare with."""

from django.db import connection
from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config import urls


class EmptyView(APIView):
    """Authenticates as the API does, and answers."""

    permission_classes = [IsAuthenticated]

    def post(self, request: Request) -> Response:
        return Response({}, status=202)


class WritingView(EmptyView):
    """Writes one row, as anything does that must not be forgotten."""

    def post(self, request: Request) -> Response:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO benchmark_row DEFAULT VALUES")
        return super().post(request)


urlpatterns = [
    path("api/v1/benchmarks/empty/", EmptyView.as_view()),
    path("api/v1/benchmarks/writing/", WritingView.as_view()),
    *urls.urlpatterns,
]

"""What every request leaves behind for those who answer it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from accounts.sign_in import address_of
from jobs.origin import Origin, coming_from


class RememberOrigin:
    """The audit trail tells from where something was done, and needs no request handed through every function."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with coming_from(Origin(address_of(request)[:64], lazy_user=request.user)):
            return self._get_response(request)

"""The admin's sign-in page."""

from django.contrib import admin
from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from accounts.errors import TooManyAttempts
from jobs import display


class SignInForm(AuthenticationForm):  # type: ignore[misc]  # the theme has no types
    """Tells whoever has tried too often to wait, instead of that the password is wrong."""

    def get_invalid_login_error(self) -> ValidationError:
        refused = getattr(self.request, "sign_in_refused", None)
        if isinstance(refused, TooManyAttempts):
            wait = display.duration(refused.wait_seconds)
            return ValidationError(f"Too many attempts to sign in. Try again in {wait}.", code="throttled")
        error: ValidationError = super().get_invalid_login_error()
        return error


admin.site.login_form = SignInForm

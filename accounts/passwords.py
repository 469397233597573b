"""Changes of passwords, told in the audit trail however they come about."""

from django.contrib.auth.models import AbstractBaseUser

from jobs import audit, origin
from jobs.models import AuditEvent


class TellOfChange:
    """Stands among the validators of passwords, since Django tells those of a change. It refuses none."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Every password is fine here."""

    def get_help_text(self) -> str:
        return ""

    def password_changed(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if user is not None:
            by = origin.current().user
            audit.write(AuditEvent.Action.CHANGED, by=by, thing=user, message="The password was set.")

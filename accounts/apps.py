from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        # After Django's own receiver, connected by django.contrib.auth, which makes the permissions.
        post_migrate.connect(
            import_module("accounts.role_groups").install, dispatch_uid="accounts.role_groups"
        )

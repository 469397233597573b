"""People, groups and keys in the admin. Importing this package registers every page."""

from accounts.admin import api_keys, people, sign_in

__all__ = ["api_keys", "people", "sign_in"]

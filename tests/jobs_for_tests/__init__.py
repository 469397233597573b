"""An app with jobs for tests only: `config.settings.test` installs it."""

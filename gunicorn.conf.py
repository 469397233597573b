"""What every gunicorn process of ours shares; gunicorn reads this file by itself."""

logger_class = "config.gunicorn_logs.GunicornLogger"

"""What every gunicorn process of ours shares; gunicorn reads this file by itself."""

logger_class = "config.gunicorn_logs.GunicornLogger"
# Web and live processes, and those of another checkout, would all want the one socket below the home folder.
control_socket_disable = True

"""What gunicorn itself says, in the format of all our logs; named in gunicorn.conf.py."""

import logging
import logging.config

from gunicorn.config import Config
from gunicorn.glogging import Logger

from config import env, logs


class GunicornLogger(Logger):  # type: ignore[misc]  # the package has no types
    """Sends everything to the root logger, which is set up here: the main process never loads Django."""

    def setup(self, cfg: Config) -> None:
        logging.config.dictConfig(
            logs.configuration(
                env.choice("LOG_FORMAT", "console", logs.FORMATS), env.text("LOG_LEVEL", "INFO")
            )
        )
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(self.LOG_LEVELS.get(cfg.loglevel.lower(), logging.INFO))
        self.access_log.handlers.clear()
        self.access_log.propagate = bool(cfg.accesslog)

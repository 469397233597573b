"""The page on language models shows code that works."""

import re
from pathlib import Path
from typing import Any

from chat.tests.model_server import Say

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_on_language_models_works_as_written(model_server, settings, capsys):
    server = model_server(Say('```json\n{"is_relevant": true, "reason": "It floats."}\n```'))
    settings.CHAT_BASE_URL, settings.CHAT_MODEL, settings.CHAT_PRICES = server.url, "m", {}
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/chat.md").read_text(), re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(compile(code, "chat.md", "exec"), namespace)
    assert capsys.readouterr().out == "It floats. 0\n"

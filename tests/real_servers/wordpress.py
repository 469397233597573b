"""A real WordPress on a real MariaDB, served by PHP itself: on loopback, in a temporary folder, gone afterwards.

Debian's packages are downloaded and unpacked there, not installed: the machine stays as it is, and nobody has to be
root. REAL_WORDPRESS may name a folder with another release of WordPress, which is copied.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.live import free_port

#: `php-xml` and `php-mbstring` are what WordPress recommends.
PACKAGES = (
    "wordpress",
    "php-cli",
    "php-mysql",
    "php-mbstring",
    "php-xml",
    "mariadb-server-core",
    "mariadb-client-core",
)
EXTENSIONS = ("mysqlnd", "mysqli", "mbstring", "dom", "ctype", "tokenizer", "fileinfo", "iconv")
#: Where the folders are, and how their names begin. Short: the path of a socket may not be long.
_FOLDER, _PREFIX = Path("/tmp"), f"almanac-wp-{os.geteuid()}-"
#: Seconds for packages to arrive, and for a server to answer.
INSTALL_SECONDS, START_SECONDS = 300, 60

_CONFIG = """<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:%(socket)s');
define('DB_CHARSET', 'utf8mb4');
define('AUTH_KEY', '%(salt)s'); define('SECURE_AUTH_KEY', '%(salt)s'); define('LOGGED_IN_KEY', '%(salt)s');
define('NONCE_KEY', '%(salt)s'); define('AUTH_SALT', '%(salt)s'); define('SECURE_AUTH_SALT', '%(salt)s');
define('LOGGED_IN_SALT', '%(salt)s'); define('NONCE_SALT', '%(salt)s');
define('WP_HOME', 'http://' . ($_SERVER['HTTP_HOST'] ?? 'localhost'));
define('WP_SITEURL', WP_HOME);
function flag($name) { return file_exists(__DIR__ . '/flags/' . $name); }
define('WP_ENVIRONMENT_TYPE', flag('public') ? 'production' : 'local');
define('EMPTY_TRASH_DAYS', flag('no-trash') ? 0 : 30);
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_DEBUG', false);
$table_prefix = 'wp_';
if (!defined('ABSPATH')) { define('ABSPATH', __DIR__ . '/'); }
require_once ABSPATH . 'wp-settings.php';
"""
_ROUTER = """<?php
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path !== '/' && is_file(__DIR__ . $path)) { return false; }
$_SERVER['SCRIPT_NAME'] = '/index.php';
require __DIR__ . '/index.php';
"""
#: What plug-ins do to sites: their fields are open to REST, but perhaps not to everybody; they close REST, and change searching.
_PLUGIN = """<?php
add_action('init', function () {
    foreach (['_yoast_wpseo_title', '_yoast_wpseo_metadesc'] as $key) {
        register_post_meta('post', $key, ['show_in_rest' => flag('seo'), 'single' => true, 'type' => 'string',
                                          'auth_callback' => function () { return !flag('seo-guarded'); }]);
    }
});
add_filter('rest_authentication_errors', function ($result) {
    return flag('no-rest') ? new WP_Error('rest_disabled', 'Closed.', ['status' => 401]) : $result;
});
add_filter('posts_search', function ($search) { return $search && flag('no-search') ? ' AND 1=0 ' : $search; });
"""
_INSTALL = """
define('WP_INSTALLING', true);
require 'wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Blog', 'editor', 'editor@example.org', true, '', '%(password)s');
$GLOBALS['wp_rewrite']->set_permalink_structure('/%%postname%%/');
flush_rewrite_rules();
wp_insert_user(['user_login' => 'author', 'user_pass' => '%(password)s', 'role' => 'author']);
wp_insert_user(['user_login' => 'contributor', 'user_pass' => '%(password)s', 'role' => 'contributor']);
wp_insert_user(['user_login' => 'reader', 'user_pass' => '%(password)s', 'role' => 'subscriber']);
(new WP_User(get_user_by('login', 'editor')->ID))->set_role('administrator');
$passwords = [];
foreach (['editor', 'author', 'contributor', 'reader'] as $name) {
    $made = WP_Application_Passwords::create_new_application_password(get_user_by('login', $name)->ID, ['name' => 'Almanac']);
    $passwords[$name] = WP_Application_Passwords::chunk_password($made[0]);
}
global $wpdb, $wp_version;
echo json_encode(['passwords' => $passwords, 'wordpress' => $wp_version, 'php' => PHP_VERSION,
                  'database' => $wpdb->get_var('SELECT VERSION()')]);
"""


class NotHere(Exception):
    """This machine cannot have a real WordPress; the message says why."""


@dataclass(frozen=True)
class RealWordPress:
    """A running WordPress. `passwords` are application passwords by user: editor, author, contributor, reader."""

    port: int
    folder: Path
    passwords: Mapping[str, str]
    versions: str
    _php: Sequence[str]
    _environment: Mapping[str, str]

    def run(self, code: str) -> Any:
        """Run PHP within WordPress; gives what it prints, read as JSON."""
        return _php(self._php, self._environment, self.folder, f"require 'wp-load.php'; {code}")

    @contextmanager
    def flagged(self, *names: str) -> Iterator[None]:
        """While it lasts, the site is like that: public, no-trash, no-rest, no-search, seo, seo-guarded."""
        flags = [self.folder / "flags" / name for name in names]
        for flag in flags:
            flag.touch()
        yield
        for flag in flags:
            flag.unlink()


@contextmanager
def running() -> Iterator[RealWordPress]:
    """Raises NotHere."""
    _remove_leftovers()
    with ExitStack() as stack:
        prefix = f"{_PREFIX}{os.getpid()}-"
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix, dir=_FOLDER)))
        root = base / "root"
        _unpack(base / "packages", root)
        environment = _environment(root)
        socket = _start_database(stack, base, root, environment)
        site = _place_wordpress(base / "site", root, socket)
        php = [str(_program(root, "php*")), "-n", "-c", str(_php_settings(base, root))]
        password = secrets.token_hex(12)
        found = _php(php, environment, site, _INSTALL % {"password": password})
        port = free_port()
        command = [*php, "-S", f"127.0.0.1:{port}", "-t", str(site), str(site / "router.php")]
        _start(stack, command, environment, base / "web.log")
        versions = "WordPress {wordpress}, PHP {php}, database {database}".format(**found)
        yield RealWordPress(port, site, found["passwords"], versions, php, environment)


def _remove_leftovers() -> None:
    """Folders of test sessions that were killed; their servers died with them."""
    for folder in _FOLDER.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _unpack(packages: Path, root: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NotHere("It takes Debian's packages, and there is no apt-get or dpkg-deb here.")
    (packages / "partial").mkdir(parents=True)
    options = ["-o", f"Dir::Cache::archives={packages}", "-o", "Debug::NoLocking=true", "-q"]
    download = [
        "apt-get",
        *options,
        "install",
        "-y",
        "--download-only",
        "--reinstall",
        "--no-install-recommends",
    ]
    try:
        _call([*download, *PACKAGES])
    except NotHere:  # the lists of packages may be old, or missing
        lists = packages / "lists"
        (lists / "partial").mkdir(parents=True)
        options = ["-o", f"Dir::State::lists={lists}"]
        _call(["apt-get", *options, "-o", "Debug::NoLocking=true", "-q", "update"])
        _call([*download, *options, *PACKAGES])
    for package in packages.glob("*.deb"):
        _call(["dpkg-deb", "--extract", str(package), str(root)])


def _call(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What the command prints; raises NotHere with what it complains of."""
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if done.returncode:
        raise NotHere(
            f"{' '.join(command)} ended with {done.returncode}: {(done.stderr or done.stdout)[-1500:]}"
        )
    return done.stdout


def _environment(root: Path) -> dict[str, str]:
    libraries = {str(path.parent) for path in root.glob("**/*.so.*")}
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(sorted(libraries))}


def _program(root: Path, pattern: str) -> Path:
    found = [path for path in sorted(root.glob(f"usr/*bin/{pattern}")) if os.access(path, os.X_OK)]
    if not found:
        raise NotHere(f"Debian's packages have no program {pattern} here.")
    return found[0]


def _start_database(stack: ExitStack, base: Path, root: Path, environment: Mapping[str, str]) -> Path:
    """The socket of a new database server that has an empty database `wordpress`. It listens nowhere else."""
    data, socket = base / "data", base / "sql"
    data.mkdir()
    common = ["--no-defaults", f"--basedir={root / 'usr'}", f"--datadir={data}"]
    common += ["--user=root"] if os.geteuid() == 0 else []  # else it refuses to be root
    _call(
        [str(_program(root, "mariadb-install-db")), *common, "--auth-root-authentication-method=normal"],
        environment,
    )
    command = [str(_program(root, "mariadbd")), *common, f"--socket={socket}", "--skip-networking"]
    command += [f"--plugin-dir={root / 'usr/lib/mysql/plugin'}", f"--pid-file={base / 'sql.pid'}"]
    _start(stack, command, environment, base / "sql.log")
    client = [str(_program(root, "mariadb")), "--no-defaults", f"--socket={socket}", "--user=root"]
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            _call([*client, "--execute=CREATE DATABASE wordpress CHARACTER SET utf8mb4"], environment)
            return socket
        except NotHere as error:
            if time.monotonic() > until:
                raise NotHere(f"{error} {(base / 'sql.log').read_text()[-1500:]}") from error
            time.sleep(0.2)


def _place_wordpress(site: Path, root: Path, socket: Path) -> Path:
    """WordPress in a folder of its own, set up for the database."""
    given = os.environ.get("REAL_WORDPRESS")
    source = Path(given) if given else root / "usr/share/wordpress"
    if not (source / "wp-settings.php").exists():
        raise NotHere(f"There is no WordPress in {source}.")
    shutil.copytree(source, site, symlinks=True)
    values = {"socket": socket, "salt": secrets.token_hex(32)}
    (site / "wp-config.php").write_text(_CONFIG % values)
    (site / "router.php").write_text(_ROUTER)
    (site / "flags").mkdir()
    plugins = site / "wp-content/mu-plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "flags.php").write_text(_PLUGIN)
    return site


def _php_settings(base: Path, root: Path) -> Path:
    """Where PHP finds its extensions; those that are built in are not named."""
    folders = [path.parent for path in root.glob("usr/lib/php/*/mysqli.so")]
    if not folders:
        raise NotHere("Debian's packages have no PHP extension mysqli here.")
    lines = [f"extension_dir={folders[0]}", "memory_limit=256M", "display_errors=stderr"]
    lines += [f"extension={name}.so" for name in EXTENSIONS if (folders[0] / f"{name}.so").exists()]
    if (folders[0] / "opcache.so").exists():
        lines += ["zend_extension=opcache.so"]
    settings = base / "php.ini"
    settings.write_text("\n".join(lines) + "\n")
    return settings


def _php(php: Sequence[str], environment: Mapping[str, str], folder: Path, code: str) -> Any:
    done = subprocess.run(
        [*php, "-r", code],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    try:
        return json.loads(done.stdout or "null")
    except ValueError as error:
        raise NotHere(f"PHP said {done.stdout[-1000:]} {done.stderr[-1000:]}") from error


def _start(stack: ExitStack, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    """A program that ends with the stack, or when this process is killed."""
    output = stack.enter_context(log.open("w"))
    if shutil.which("setpriv"):
        command = ["setpriv", "--pdeathsig", "KILL", *command]
    program = subprocess.Popen(
        command, env=dict(environment), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    )

    def end() -> None:
        os.killpg(program.pid, signal.SIGKILL)  # nothing of it is kept
        program.wait()

    stack.callback(end)

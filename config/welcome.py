"""What `make run` shows once everything is up: the main job at work, the way in, the addresses."""

import os
import secrets
import sys
import time
import urllib.error
import urllib.request

import django
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError

START_PATIENCE_SECONDS = 90.0
MAIN_JOB = "publishing.monitor_feeds"
WRITING_JOB = "publishing.generate_post"
UPDATING_JOB = "knowledge.update_knowledge_base"


def main() -> int:
    """0 when everything has come up and the main job has run; 1 with one sentence when not."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    django.setup()
    begun = float(sys.argv[1]) if len(sys.argv) > 1 else time.monotonic()
    origin = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
    live = f"http://127.0.0.1:{os.environ.get('LIVE_PORT', '8050')}"
    addresses = (f"{origin}/admin/login/", f"{live}/healthz")
    if not all(wait_for_web(address) for address in addresses) or not wait_for_health():
        sys.stderr.write(
            f"Not everything is healthy after {START_PATIENCE_SECONDS:.0f} seconds; see the lines above.\n"
        )
        return 1
    say(f"All processes are up ({time.monotonic() - begun:.1f} s).")
    jobs_are_fine = run_job(MAIN_JOB) and write_first_posts() and bring_in_first_papers()
    show_the_way_in(origin)
    return 0 if jobs_are_fine else 1


def wait_for_web(address: str) -> bool:
    """Whether a page comes within the patience."""
    deadline = time.monotonic() + START_PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - our own loopback address
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            sys.stderr.write(f"{address} answers {error.code}.\n")
            return False
        except OSError:
            time.sleep(0.1)
    return False


def wait_for_health() -> bool:
    """Whether worker and beat report themselves within the patience."""
    deadline = time.monotonic() + START_PATIENCE_SECONDS
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a stream, not a path of ours
        while time.monotonic() < deadline:
            try:
                call_command("health", stdout=nowhere, stderr=nowhere)
            except SystemExit as answer:
                if answer.code in (0, None):
                    return True
            else:
                return True
            time.sleep(0.2)
    return False


def write_first_posts() -> bool:
    """Let each agent of the sample world that has never written do so; whether all went well."""
    from publishing.sample.load import agents_to_show  # models can be imported only now that Django is set up

    went_well = [run_job(WRITING_JOB, f"agent_id={agent_id}") for agent_id in agents_to_show()]
    return all(went_well)


def bring_in_first_papers() -> bool:
    """Update the topic of the sample world if that was never done; whether all went well. Other sources are not asked."""
    from knowledge.sample.load import topics_to_show  # models can be imported only now that Django is set up

    went_well = [run_job(UPDATING_JOB, f"topics=[{topic_id}]") for topic_id in topics_to_show()]
    return all(went_well)


def run_job(name: str, *parameters: str) -> bool:
    """Run a job once, with its progress bar and result on the terminal; whether it ended well."""
    try:
        call_command("jobs", "run", name, *parameters, "--wait")
    except CommandError as error:
        say(str(error))
        return False
    except SystemExit as answer:
        return answer.code in (0, None)
    return True


def show_the_way_in(origin: str) -> None:
    """The addresses, and a new administrator's password when there is no administrator yet. It is shown only now."""
    say("")
    say(f"  Almanac    {origin}/")
    say(f"  Blog       {origin}/blog/")
    say(f"  Admin      {origin}/admin/")
    say(f"  API        {origin}/api/v1/")
    users = get_user_model()
    if not users.objects.filter(is_superuser=True, is_active=True).exists():
        password = secrets.token_urlsafe(12)
        users.objects.create_superuser(username="admin", email="admin@localhost", password=password)
        say(
            f"  Login      admin / {password}   (shown once; change it with `manage.py changepassword admin`)"
        )
    say("")
    say("Ctrl-C stops everything.")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

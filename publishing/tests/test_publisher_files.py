"""Posts as files: all or nothing, found again by their marker, never over another post, never outside the folder."""

import json

import pytest

from jobs.errors import InvalidParameters
from publishing import publications, publishers
from publishing.publications import State, carry_out
from publishing.publishers import PublishLater, PublishRefused, Remote
from publishing.tests.factories import make_publication, make_publisher

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(settings, tmp_path):
    settings.PUBLISHED_FILES_DIR = str(tmp_path / "out")
    return tmp_path / "out" / "news"


@pytest.fixture
def publication(folder):
    return make_publication(make_publisher("file", settings={"folder": "news"}))


def outcome(publication):
    row = carry_out(publication.pk)
    assert row is not None
    return row


def test_a_post_becomes_a_page_with_its_data_beside_it(folder, publication):
    row = outcome(publication)
    assert (row.state, row.remote_id) == (State.PUBLISHED, f"{row.post.slug}.html")
    page = (folder / row.remote_id).read_text()
    assert f"<h1>{row.post.title}</h1>{row.post.body_html}" in page
    assert json.loads((folder / f"{row.post.slug}.json").read_text())["marker"] == str(row.marker)
    assert len(list(folder.iterdir())) == 2


def test_a_file_of_another_post_is_not_written_over(folder, publication):
    outcome(publication)
    other = make_publication(make_publisher("file", settings={"folder": "news"}))
    other.post.slug = publication.post.slug  # another installation's, say
    kind, settings = publications.opened(other.publisher)
    before = (folder / f"{publication.post.slug}.html").read_text()
    with pytest.raises(PublishRefused, match="is another post"):
        kind.send(publications.outgoing(other), settings)
    assert kind.find(publications.outgoing(other), settings) is None
    assert (folder / f"{publication.post.slug}.html").read_text() == before


def test_a_post_that_was_claimed_and_not_written_is_written_and_one_that_is_there_is_found(
    folder, publication
):
    kind, settings = publications.opened(publication.publisher)
    post = publications.outgoing(publication)
    kind.send(post, settings)
    (folder / f"{post.slug}.html").unlink()  # as after a crash in between
    assert kind.find(post, settings) is None
    kind.send(post, settings)
    found = kind.find(post, settings)
    assert found is not None
    assert found.id == f"{post.slug}.html"


def test_a_folder_that_cannot_be_written_is_tried_again_later(folder, publication):
    folder.parent.write_text("a file, where a folder should be")
    row = outcome(publication)
    assert (row.state, row.attempts.get().outcome) == (State.WAITING, "later")


def test_without_a_folder_for_files_nothing_is_written(settings, publication):
    settings.PUBLISHED_FILES_DIR = ""
    row = outcome(publication)
    assert (row.state, row.reason) == (
        State.FAILED,
        "Files are not published here: PUBLISHED_FILES_DIR is not set.",
    )


@pytest.mark.parametrize("path", ["/etc", "../up", "a/../../up", "a\x00b"])
def test_no_folder_leads_outside(path):
    with pytest.raises(InvalidParameters, match="below the one for published files"):
        publishers.get_kind("file").clean({"folder": path})


def test_the_test_says_whether_the_folder_can_be_written(folder):
    kind = publishers.get_kind("file")
    assert "can be written" in kind.test(kind.read({"folder": "news"}))
    assert list(folder.iterdir()) == []


def published(publication):
    row = outcome(publication)
    kind, settings = publications.opened(row.publisher)
    return row, kind, settings, Remote(id=row.remote_id)


def test_a_change_is_written_over_the_page_whatever_its_new_name_would_be(folder, publication):
    row, kind, settings, remote = published(publication)
    row.post.title, row.post.slug = "A better title", "a-better-title"
    assert kind.update(publications.outgoing(row), remote, settings).id == remote.id
    assert "<h1>A better title</h1>" in (folder / remote.id).read_text()
    assert json.loads((folder / remote.id).with_suffix(".json").read_text())["title"] == "A better title"
    assert len(list(folder.iterdir())) == 2


def test_taken_back_both_files_are_gone_and_it_may_be_said_again(folder, publication):
    row, kind, settings, remote = published(publication)
    post = publications.outgoing(row)
    kind.withdraw(post, remote, settings)
    kind.withdraw(post, remote, settings)
    assert list(folder.iterdir()) == []
    with pytest.raises(PublishRefused, match="is not there any more"):
        kind.update(post, remote, settings)


def test_files_of_another_post_are_neither_changed_nor_removed(folder, publication):
    row, kind, settings, remote = published(publication)
    before = (folder / remote.id).read_text()
    other = publications.outgoing(make_publication(row.publisher))
    with pytest.raises(PublishRefused, match="is another post"):
        kind.update(other, remote, settings)
    kind.withdraw(other, remote, settings)
    assert (folder / remote.id).read_text() == before


def test_a_page_that_nothing_says_is_ours_stays(folder, publication):
    row, kind, settings, remote = published(publication)
    (folder / remote.id).with_suffix(".json").unlink()
    kind.withdraw(publications.outgoing(row), remote, settings)
    assert (folder / remote.id).exists()


@pytest.mark.parametrize("name", ["../post.html", "/etc/passwd", "post.txt"])
def test_a_name_that_leads_elsewhere_is_refused(folder, publication, name):
    row, kind, settings, _ = published(publication)
    with pytest.raises(PublishRefused, match="is not the name of a page"):
        kind.withdraw(publications.outgoing(row), Remote(id=name), settings)


def test_a_folder_that_cannot_be_changed_now_is_tried_again_later(folder, publication):
    row, kind, settings, remote = published(publication)
    (folder / remote.id).unlink()
    (folder / remote.id).mkdir()  # nothing can be written or removed there
    with pytest.raises(PublishLater, match="cannot be written"):
        kind.update(publications.outgoing(row), remote, settings)
    with pytest.raises(PublishLater, match="cannot be removed"):
        kind.withdraw(publications.outgoing(row), remote, settings)

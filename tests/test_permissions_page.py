from config import permissions_page


def test_the_page_has_the_roles_that_the_apps_declare():
    assert permissions_page.PAGE.read_text() == permissions_page.page(), "run `make docs`"

"""What a visitor of the dashboard reads in its pages."""

from tests.conformance.dashboard_visitor import complaints, form, links

PAGE = """
<a href="/project/volumes/?next=%2F&amp;a=1#top">v</a> <a href="/auth/logout/">out</a> <a href="/admin/">a</a>
<div class="alert alert-danger" ng-show="bad">A local file should be selected.</div>
<div class="alert alert-dismissable fade in alert-danger"><a></a><p><strong>Error: </strong>Unable to
 retrieve volumes.</p></div>
<form><input type="hidden" name="csrfmiddlewaretoken" value="abc"><input name="size" value="1"><input type="submit" name="go">
<input type="checkbox" name="dhcp" checked><input type="checkbox" name="shared">
<input type="radio" name="kind" value="a"><input type="radio" name="kind" value="b" checked>
<select name="type"><option value="">none</option><option value="t1" selected>one</option></select>
<select name="zone"><option value="nova">nova</option><option value="other">other</option></select>
<textarea name="why">because
it is</textarea></form>
"""


def test_links_lead_within_the_dashboard() -> None:
    assert links(PAGE) == ["/project/volumes/?next=%2F&a=1", "/admin/"]


def test_a_form_is_sent_as_it_stands() -> None:
    assert form(PAGE) == {
        "csrfmiddlewaretoken": "abc",
        "size": "1",
        "dhcp": "on",
        "kind": "b",
        "type": "t1",
        "zone": "nova",
        "why": "because\nit is",
    }


def test_complaints_are_what_the_reader_is_told_went_wrong() -> None:
    assert complaints(PAGE) == ["Error: Unable to retrieve volumes."]

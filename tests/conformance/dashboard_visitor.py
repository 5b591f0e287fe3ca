"""A visitor of the dashboard: signs in, follows links, fills in forms, and hears what the pages complain of."""

import re
from html.parser import HTMLParser
from typing import Any

import httpx

_ALERT = re.compile(r'class="alert[^"]*alert-danger[^"]*"[^>]*>(.{0,800}?)</div>', re.DOTALL)
_TAG = re.compile(r"<[^>]+>|\s+")
_LINK = re.compile(r'href="(/(?:project|admin|identity|settings)/[^"#]*)')


class Visitor:
    """Signed in at a dashboard as a user of the domain Default."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=120, follow_redirects=True)
        entry = form(self.http.get("/auth/login/").text)
        page = self.submit("/auth/login/", entry | {"username": user, "password": password, "domain": "Default"})
        if "/auth/login" in str(page.url):
            raise RuntimeError(f"the dashboard lets nobody in: {complaints(page.text)}")

    def submit(self, path: str, fields: dict[str, Any]) -> httpx.Response:
        """Send a form in, as a browser does."""
        return self.http.post(path, data=fields, headers={"Referer": str(self.http.base_url)})

    def fill(self, path: str, **fields: Any) -> httpx.Response:
        """Open the page of a form, change some of what stands in it, and send it in."""
        return self.submit(path, form(self.http.get(path).text) | fields)

    def act(self, path: str, action: str) -> httpx.Response:
        """Press a button of the table on a page: ``instances__stop__ID``."""
        return self.submit(
            path, {"csrfmiddlewaretoken": form(self.http.get(path).text)["csrfmiddlewaretoken"], "action": action}
        )

    def ask(self, verb: str, path: str, document: Any = None) -> httpx.Response:
        """What the dashboard's scripts ask of it: ``/api/nova/servers/``."""
        token = next((one.value for one in self.http.cookies.jar if one.name == "csrftoken"), None)
        headers = {"X-CSRFToken": token or "", "X-Requested-With": "XMLHttpRequest", "Referer": str(self.http.base_url)}
        return self.http.request(verb, f"/api/{path}", json=document, headers=headers)


def links(text: str) -> list[str]:
    """Where a page leads to within the dashboard."""
    return [one.replace("&amp;", "&") for one in _LINK.findall(text)]


def complaints(text: str) -> list[str]:
    """What a page complains of to its reader; not what its scripts could."""
    found = [_TAG.sub(" ", one).strip() for one in _ALERT.findall(text)]
    return [" ".join(one.split()) for one in found if "Error:" in one]


def form(text: str) -> dict[str, Any]:
    """The fields of a page's forms as they stand, by name: those of a later form win."""
    reader = _Form()
    reader.feed(text)
    return reader.fields


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, Any] = {}
        self._select: str | None = None
        self._text: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name"), given.get("value") or ""
        if tag == "input" and name and given.get("type") not in ("submit", "button", "file", "image"):
            if given.get("type") in ("checkbox", "radio") and "checked" not in given:
                return
            self.fields[name] = value or ("on" if given.get("type") == "checkbox" else "")
        elif tag == "select" and name:
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in self.fields):
            self.fields[self._select] = value
        elif tag == "textarea" and name:
            self._text = name
            self.fields[name] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None
        elif tag == "textarea":
            self._text = None

    def handle_data(self, data: str) -> None:
        if self._text:
            self.fields[self._text] += data

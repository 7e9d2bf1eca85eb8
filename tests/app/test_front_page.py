"""What the page's head gets beside Streamlit's own, and the plotly.js that it names."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message

from explorer.ui import plotly_js
from explorer.ui.front_page import EarlyTags

PAGE = "<html><head><title>t</title></head><body>ü</body></html>"
BROWSER = {"accept": "text/html,application/xhtml+xml", "accept_encoding": "gzip", "if_none_match": '"1"'}


async def _page(request: Request) -> Response:
    if request.headers.get("if-none-match") or request.headers.get("accept-encoding"):
        return Response(status_code=304)  # what cannot be added to
    return Response(PAGE, media_type="text/html", headers={"etag": '"1"'})


async def _data(request: Request) -> Response:
    return JSONResponse({"head": "</head>"})


APP = EarlyTags(Starlette(routes=[Route("/data", _data), Route("/{path:path}", _page)]))


def get(path: str, **headers: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of the answer to a request."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asked = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    path, _, query = path.partition("?")
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": asked}
    asyncio.run(APP(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return found, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize(
    ("path", "has_map"),
    [
        ("/", True),
        ("/reconstruct", True),
        ("/cells", False),
        ("/compare?models=a,b", False),
        ("/compare?models=a,b&part=maps", True),
    ],
)
def test_the_head_asks_for_style_and_plotly_where_there_is_a_map(path, has_map):
    headers, answer = get(path, **BROWSER)
    head, body = answer.decode().split("</head>")
    assert body == "<body>ü</body></html>"
    assert '<link rel="stylesheet" href="assets/app-' in head
    assert '<script type="module" src="assets/history-' in head
    assert ("plotly.min.js" in head) == has_map
    assert ("BACKEND_BASE_URL" in head) == (path != "/")
    assert int(headers["content-length"]) == len(answer)
    assert "etag" not in headers  # it is that of another text


def test_other_answers_stay_as_they_are():
    assert json.loads(get("/data", **BROWSER)[1]) == {"head": "</head>"}
    headers, answer = get("/", accept="*/*")
    assert answer.decode() == PAGE
    assert headers["etag"] == '"1"'


def test_plotly_registers_no_kinds_of_trace():
    """Fails when plotly.js comes to be built in another way: the map then works as before, and loads more slowly."""
    assert "register([])" in plotly_js.source()


def test_a_bundle_that_is_built_in_another_way_is_left_alone():
    for bundle in ("", "var a=1;", "x.register([a(),b()]);"):
        assert plotly_js.unregistered(bundle) == bundle

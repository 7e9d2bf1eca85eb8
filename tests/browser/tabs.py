"""A browser profile as tests share it: its pages in one process, and what they should not have done."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, WebSocket

from tests.browser.talk import WAIT_MS, Talk

PAGES_OWN = {"viewport", "color_scheme", "reduced_motion"}
"""What one page can have unlike the others of its context."""


class Profile:
    """A browser context for the pages of one server, and the complaints about them."""

    def __init__(self, browser: Browser, base_url: str, **options: object) -> None:
        self.complaints: list[str] = []
        # Playwright's `wait_for_function` calls `eval` in the page, which the app's policy refuses.
        options = {"viewport": {"width": 1280, "height": 1400}, "base_url": base_url, "bypass_csp": True, **options}
        self.context = browser.new_context(**options)  # type: ignore[arg-type]
        self.context.set_default_timeout(WAIT_MS)
        self.context.on("page", lambda page: page.on("websocket", self._connected))
        self.context.on("request", lambda request: self._asked(request.url))
        self.context.on("console", self._logged)
        self.context.on("weberror", lambda event: self.complaints.append(f"uncaught: {event.error}"))
        self._host = urlsplit(base_url).netloc
        self._keeper: Page | None = None

    def keep(self) -> Profile:
        """Keep the process, and with it the compiled scripts, from one page to the next: it dies with its last page."""
        self._keeper = self.context.new_page()
        self._keeper.goto("/_stcore/health")
        return self

    def empty(self) -> None:
        """Forget what earlier pages did and stored, save for what the server lets a browser cache."""
        self.context.clear_cookies()
        if self._keeper:
            self._keeper.evaluate("localStorage.clear()")
        self.complaints = []

    def page(self, **media: object) -> Page:
        """Another page; keywords are those of PAGES_OWN."""
        page = self.context.new_page()
        Talk(page)
        if viewport := media.pop("viewport", None):
            page.set_viewport_size(viewport)  # type: ignore[arg-type]
        if media:
            page.emulate_media(**media)  # type: ignore[arg-type]
        return page

    def _connected(self, socket: WebSocket) -> None:
        self._asked(socket.url.replace("ws", "http", 1))

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob", "about") and parts.netloc != self._host:
            self.complaints.append(f"asked {url}")

    def _logged(self, message: ConsoleMessage) -> None:
        # Opened at the address of a page, Streamlit looks for its server below that address before it looks above it.
        path = urlsplit(message.location["url"]).path
        probing = path.endswith(("/_stcore/health", "/_stcore/host-config")) and not path.startswith("/_stcore")
        if message.type == "error" and not probing:
            self.complaints.append(f"console: {message.text} ({message.location['url']})")

// The board renews itself. A convenience: without this it is a page to load again.
(function () {
  "use strict";
  document.documentElement.classList.add("js-board");
  // A page nobody looks at asks nothing.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.requestConfig.triggeringEvent == null && document.hidden) event.preventDefault();
  });
  // Nothing new: the tiles, and the reader's place among them, stay.
  let focused = "";
  document.addEventListener("htmx:beforeSwap", (event) => {
    const status = event.detail.xhr.status;
    if (status === 204 || status === 304) event.detail.shouldSwap = false;
    const link = document.activeElement && document.activeElement.closest("#board a");
    focused = link ? link.getAttribute("href") : "";
  });
  document.addEventListener("htmx:afterSwap", () => {
    if (!focused) return;
    const link = [...document.querySelectorAll("#board a")].find((one) => one.getAttribute("href") === focused);
    if (link) link.focus({ preventScroll: true });
  });
})();

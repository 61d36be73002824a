// What a page shows stays true by itself: it asks again and again, says when something changed, asks less when
// nobody looks or the server is in trouble, and goes on by itself after it was offline.
(function () {
  "use strict";
  const texts = document.body.dataset;
  const PATIENCE = 8000; // ms a look may take; the next one is due by then
  const SLOWEST = 60000; // ms between looks while nobody answers
  const FIRST = 4000;

  const say = (level, text) =>
    document.dispatchEvent(new CustomEvent("say", { detail: { level, text } }));
  // Nobody pressed anything: the clock, the end of a countdown, or ourselves after a pause.
  const OURS = ["again", "passed"];
  const isLook = (config) =>
    config.verb === "get" && (config.triggeringEvent == null || OURS.includes(config.triggeringEvent.type));

  // ── When to look ─────────────────────────────────────────────────────────────────────
  let failures = 0;
  let notBefore = 0;
  // A page out of the device's own store is as old as its writing.
  let lastAnswer = Date.parse(document.documentElement.dataset.now) || Date.now();

  document.addEventListener("htmx:configRequest", (event) => {
    if (isLook(event.detail)) event.detail.timeout = PATIENCE;
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!isLook(event.detail.requestConfig)) return;
    if (document.hidden || !navigator.onLine || Date.now() < notBefore) event.preventDefault();
  });

  // A little chance in each pause, so that a thousand pages do not come back in one moment.
  function failed(retryAfter) {
    failures += 1;
    const pause = Math.min(FIRST * 2 ** failures, SLOWEST) * (0.75 + Math.random() / 2);
    notBefore = Date.now() + Math.max(pause, retryAfter * 1000);
    if (failures > 1) cut(true);
  }

  function answered() {
    failures = notBefore = 0;
    lastAnswer = Date.now();
    cut(false);
  }

  const parts = () => document.querySelectorAll("[hx-trigger*='again']");

  function lookNow() {
    notBefore = 0;
    for (const part of parts()) window.htmx.trigger(part, "again");
  }

  // ── Cut off, and back ────────────────────────────────────────────────────────────────
  const note = document.getElementById("offline");
  function cut(isCut) {
    if (!note || note.hidden !== isCut) return;
    const written = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    note.querySelector("time").textContent = new Date(lastAnswer).toLocaleTimeString(document.documentElement.lang, written);
    note.hidden = !isCut;
    document.documentElement.classList.toggle("is-cut-off", isCut);
    if (!isCut) say("success", texts.connected);
  }

  addEventListener("offline", () => cut(true));
  addEventListener("online", () => {
    failures = 0;
    // Where nothing is looked at again, the browser's word is all there is.
    if (parts().length) lookNow();
    else cut(false);
  });
  if (!navigator.onLine) cut(true);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && Date.now() - lastAnswer > FIRST) lookNow();
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) lookNow();
  });

  // What is sent while offline would take the visitor to an error page, and what they typed with it.
  document.addEventListener("submit", (event) => {
    if (navigator.onLine) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    say("error", texts.offline);
  }, true);

  // ── What came back ───────────────────────────────────────────────────────────────────
  document.addEventListener("htmx:afterRequest", (event) => {
    const { xhr, requestConfig } = event.detail;
    if (isLook(requestConfig) && xhr.status >= 200 && xhr.status < 400) answered();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    // Signed out elsewhere, or the key of this page's forms is an old one: loaded anew, the page tells.
    // (A whole page with another status is trouble's, and met with patience below.)
    if (xhr.status === 403 || (xhr.status === 200 && /^\s*<!doctype/i.test(xhr.responseText))) {
      event.detail.shouldSwap = event.detail.isError = false;
      location.reload();
    }
  });
  for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
    document.addEventListener(name, (event) => {
      const { xhr, requestConfig } = event.detail;
      const isBusy = xhr && [429, 503].includes(xhr.status);
      if (isLook(requestConfig)) failed(Number(isBusy && xhr.getResponseHeader("Retry-After")) || 0);
      else say("error", isBusy ? texts.busy : texts.offline);
    });
  }

  // ── What changed ─────────────────────────────────────────────────────────────────────
  // data-tell is the sentence to say when it is another one than before; data-watch marks what lights up.
  let before = null;
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    before = null;
    if (!detail.shouldSwap || !isLook(detail.requestConfig)) return;
    const watched = [...detail.target.querySelectorAll("[data-watch]")];
    before = {
      id: detail.target.id,
      tell: detail.target.dataset.tell,
      values: new Map(watched.map((part) => [part.dataset.watch, part.textContent])),
    };
  });
  document.addEventListener("htmx:afterSettle", () => {
    const now = before && document.getElementById(before.id);
    if (!now) return;
    for (const part of now.querySelectorAll("[data-watch]")) {
      const value = before.values.get(part.dataset.watch);
      if (value !== undefined && value !== part.textContent) part.classList.add("is-changed");
    }
    if (before.tell && now.dataset.tell && now.dataset.tell !== before.tell) say("info", now.dataset.tell);
    before = null;
  });

  // ── Without a network ────────────────────────────────────────────────────────────────
  if ("serviceWorker" in navigator && isSecureContext) {
    // After the page itself: whoever waits for it should not wait for this.
    addEventListener("load", () => navigator.serviceWorker.register(texts.worker).catch(() => {}));
    // What was kept for a driver is not for whoever comes next on this device.
    if (!("driver" in texts)) caches.delete("kept");
  }
})();

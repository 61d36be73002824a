// What makes the pages lively. Everything here is a convenience: each page works without it.
(function () {
  "use strict";
  const root = document.documentElement;

  // ── Theme ────────────────────────────────────────────────────────────────────────────
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => root.dataset.bsTheme || (systemDark.matches ? "dark" : "light");

  const bars = document.querySelectorAll("meta[name=theme-color]");
  const barColours = Object.fromEntries([...bars].map((bar) => [bar.dataset.scheme, bar.content]));

  function remember(chosen) {
    try {
      localStorage.setItem("theme", chosen);
    } catch (blocked) {
      // The choice then lasts for this page only.
    }
  }

  function showTheme() {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.hidden = false;
      button.setAttribute("aria-pressed", String(theme() === "dark"));
    }
    // The phone's own bar above the page takes the colour that was chosen, whatever the system prefers.
    for (const bar of bars) bar.content = root.dataset.bsTheme ? barColours[theme()] : barColours[bar.dataset.scheme];
  }

  // ── Countdowns: <time data-countdown datetime="…">fallback</time> ────────────────────
  // The visitor's clock may be wrong; the server said what time it is when it wrote the page.
  const clockOffset = root.dataset.now ? Date.parse(root.dataset.now) - Date.now() : 0;
  const [day, hour, minute, second] = (document.body.dataset.units || "d h min s").split(" ");

  function spell(seconds) {
    const parts = [
      [Math.floor(seconds / 86400), day],
      [Math.floor(seconds / 3600) % 24, hour],
      [Math.floor(seconds / 60) % 60, minute],
      [seconds % 60, second],
    ];
    const first = parts.findIndex(([count]) => count > 0);
    if (first < 0) return `0\u00a0${second}`;
    // Two units say enough, and seconds matter only in the last quarter of an hour.
    return parts
      .slice(first, first + 2)
      .filter(([count, name]) => count > 0 && (name !== second || seconds < 900))
      .map(([count, name]) => `${count}\u00a0${name}`)
      .join(" ");
  }

  function tick() {
    const now = Date.now() + clockOffset;
    for (const time of document.querySelectorAll("time[data-countdown]")) {
      const seconds = Math.round((Date.parse(time.dateTime) - now) / 1000);
      if (Number.isNaN(seconds)) continue;
      const text = spell(Math.abs(seconds));
      if (time.textContent !== text) time.textContent = text;
      time.classList.toggle("is-soon", seconds >= 0 && seconds < 900);
      time.classList.toggle("is-over", seconds < 0);
      const passed = seconds < 0 && !time.dataset.passed;
      if (passed) {
        time.dataset.passed = "yes";
        // Whoever shows this moment (hx-trigger="passed") may want to look again.
        time.dispatchEvent(new CustomEvent("passed", { bubbles: true }));
      }
    }
  }

  // ── Toasts ───────────────────────────────────────────────────────────────────────────
  // Errors stay until closed; good news leaves by itself, but not while being read.
  function armToasts(within) {
    for (const toast of within.querySelectorAll(".pw-message:not([data-armed])")) {
      toast.dataset.armed = "yes";
      const close = toast.querySelector("[data-dismiss]");
      if (close) close.hidden = false;
      if (toast.dataset.level !== "success" && toast.dataset.level !== "info") continue;
      let timer = setTimeout(() => toast.remove(), 7000);
      toast.addEventListener("mouseenter", () => clearTimeout(timer));
      toast.addEventListener("focusin", () => clearTimeout(timer));
    }
  }

  function say(level, text) {
    const template = document.getElementById("toast-template");
    const list = document.getElementById("messages");
    if (!template || !list) return;
    const toast = template.content.firstElementChild.cloneNode(true);
    toast.dataset.level = level;
    toast.querySelector("[data-text]").textContent = text;
    // Said again, it moves to the end instead of standing there twice.
    for (const said of list.querySelectorAll("[data-text]")) if (said.textContent === text) said.parentElement.remove();
    list.append(toast);
    armToasts(list);
  }
  document.addEventListener("say", ({ detail }) => say(detail.level, detail.text));

  // Asked once: the first answer takes a phone a tenth of a second.
  let zoneName;
  const ownZone = () => (zoneName ??= Intl.DateTimeFormat().resolvedOptions().timeZone);

  // ── Small form helpers ───────────────────────────────────────────────────────────────
  function arm(within) {
    armToasts(within);
    for (const copy of within.querySelectorAll("[data-copy]")) {
      copy.hidden = !navigator.clipboard;
    }
    // A lot's clock is named when it is not the visitor's own.
    for (const zone of within.querySelectorAll("[data-zone]")) zone.hidden = zone.dataset.zone === ownZone();
    for (const field of within.querySelectorAll("[data-shown-when]")) showWhen(field);
    for (const near of within.querySelectorAll("[data-near]")) near.hidden = !navigator.geolocation;
    for (const picks of within.querySelectorAll("[data-picks]")) picks.hidden = false;
    for (const slider of within.querySelectorAll("form[data-slider]")) armSlider(slider);
  }

  // A hundred metres are near enough to sort by, and tell less about where somebody is.
  function locate(button) {
    const { lat, lon } = button.form.elements;
    const sort = () => button.form.dispatchEvent(new Event("change", { bubbles: true }));
    if (lat.value) {
      lat.value = lon.value = "";
      button.setAttribute("aria-pressed", "false");
      return sort();
    }
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        lat.value = coords.latitude.toFixed(3);
        lon.value = coords.longitude.toFixed(3);
        button.setAttribute("aria-pressed", "true");
        sort();
      },
      () => say("error", button.dataset.nearDenied),
      { timeout: 10000, maximumAge: 300000 },
    );
  }

  // <button data-pick="days hour">: that hour, so many days from today; empty is now.
  function pickTime(button) {
    const at = button.form.elements.at;
    const [days, hours] = button.dataset.pick.split(" ").map(Number);
    const day = new Date();
    day.setDate(day.getDate() + (days || 0));
    const two = (number) => String(number).padStart(2, "0");
    at.value = button.dataset.pick
      ? `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}T${two(hours)}:00`
      : "";
    at.dispatchEvent(new Event("change", { bubbles: true }));
  }

  // <form data-slider="end" data-slider-zone="zone">: the range adds minutes to the end. What is sent is the
  // moment itself, so that the form sent twice asks for the same.
  function armSlider(form) {
    const range = form.querySelector("input[type=range]");
    const written = new Intl.DateTimeFormat(root.lang, {
      timeZone: form.dataset.sliderZone, weekday: "short", hour: "2-digit", minute: "2-digit",
    });
    const show = () => {
      const end = new Date(Date.parse(form.dataset.slider) + range.value * 60000);
      form.elements.ends.value = end.toISOString();
      const text = `${written.format(end)} (+${spell(range.value * 60)})`;
      form.querySelector("output").textContent = text;
      range.setAttribute("aria-valuetext", text);
    };
    range.addEventListener("input", show);
    form.hidden = false;
    show();
  }

  // <div data-shown-when="when=later"> is shown while the form's "when" is "later".
  function showWhen(block) {
    const form = block.closest("form");
    if (!form) return;
    const [name, wanted] = block.dataset.shownWhen.split("=");
    const control = form.elements[name];
    if (control) block.hidden = control.value !== wanted;
  }

  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (!form) return;
    for (const block of form.querySelectorAll("[data-shown-when]")) showWhen(block);
    if (event.target.matches("[data-submit-on-change]")) form.requestSubmit();
  });

  document.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    if (on("[data-theme-toggle]")) {
      root.dataset.bsTheme = theme() === "dark" ? "light" : "dark";
      remember(root.dataset.bsTheme);
      showTheme();
    }
    const close = on("[data-dismiss]");
    if (close) close.closest(".pw-message").remove();
    const dialog = on("dialog");
    const leave = on("[data-dialog-close]");
    if (dialog && (leave || event.target === dialog)) {
      event.preventDefault();
      dialog.close();
    }
    const opener = on("[data-dialog-open]");
    if (opener) {
      const target = document.getElementById(opener.dataset.dialogOpen);
      if (target && target.showModal) {
        event.preventDefault();
        target.showModal();
      }
    }
    const spot = on("[data-spot]");
    const wanted = document.getElementById("id_spot");
    if (spot && wanted) {
      // Without script the same link reloads the page with the spot filled in.
      event.preventDefault();
      wanted.value = wanted.value === spot.dataset.spot ? "" : spot.dataset.spot;
      wanted.dispatchEvent(new Event("change", { bubbles: true }));
    }
    const near = on("[data-near]");
    if (near) locate(near);
    const pick = on("[data-pick]");
    if (pick) pickTime(pick);
    const copy = on("[data-copy]");
    if (copy) {
      navigator.clipboard.writeText(copy.dataset.copy).then(() => say("success", copy.dataset.copied));
    }
    for (const menu of document.querySelectorAll("details.pw-menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.pw-menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // A second tap on a slow connection must not send the form twice.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method !== "post") return;
    if (event.target.dataset.sent) {
      event.preventDefault();
      return;
    }
    event.target.dataset.sent = "yes";
    setTimeout(() => delete event.target.dataset.sent, 8000);
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // ── htmx ─────────────────────────────────────────────────────────────────────────────
  // A refusal (409) and bad input (422) come back as the same fragment with the reasons in it.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    if ([409, 422].includes(xhr.status)) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
    // Nothing new: keep the page (and the reader's place in it) as it is.
    if (xhr.status === 204 || xhr.status === 304) event.detail.shouldSwap = false;
  });
  // A part that is renewed keeps what the reader had opened and how far they had scrolled.
  let kept = [];
  const foldable = "details[id], .plan-scroll[id]";
  document.addEventListener("htmx:beforeSwap", (event) => {
    kept = [...event.detail.target.querySelectorAll(foldable)].map(({ id, open, scrollTop }) => ({ id, open, scrollTop }));
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const target = event.detail.target;
    for (const { id, open, scrollTop } of kept) {
      const part = document.getElementById(id);
      if (part && open !== undefined) part.open = open;
      if (part && scrollTop) part.scrollTop = scrollTop;
    }
    kept = [];
    arm(target.isConnected ? target : document.body);
    arm(document.getElementById("messages") || document.body);
    tick();
    const dialog = target.closest("dialog");
    if (dialog && !dialog.open && target.childElementCount) dialog.showModal();
    // What the dialog asked is done: the page behind it shows the answer.
    const asked = event.detail.requestConfig.elt.closest("dialog");
    if (asked && !dialog) asked.close();
  });
  showTheme();
  systemDark.addEventListener("change", showTheme);
  arm(document);
  tick();
  setInterval(tick, 1000);
})();

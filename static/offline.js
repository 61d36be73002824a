// On the page shown without a network: what was open before can be opened again, and back online the page goes on.
(async function () {
  "use strict";
  // A network is not yet an answer: the page is loaded anew when one has come.
  addEventListener("online", () =>
    fetch(location.href, { method: "HEAD" }).then(() => location.reload(), () => {}),
  );
  const section = document.getElementById("kept");
  if (!section || !("caches" in window)) return;
  const cache = await caches.open("kept");
  for (const request of await cache.keys()) {
    const response = await cache.match(request);
    if (!(Date.parse(response.headers.get("X-Keep-Until")) > Date.now())) continue;
    const link = document.createElement("a");
    link.href = new URL(request.url).pathname;
    link.textContent = new DOMParser().parseFromString(await response.text(), "text/html").title.split(" · ")[0];
    const item = document.createElement("li");
    item.append(link);
    section.querySelector("ul").append(item);
    section.hidden = false;
  }
})();

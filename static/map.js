// A map beside the list of lots, where the operator has named a server of tiles. It is fetched when somebody
// opens it, and shows what the list shows: the list is the page, the map another look at it.
(function () {
  "use strict";
  const box = document.getElementById("map-box");
  const ground = document.getElementById("map");
  const pins = new Map(); // a lot's address → its marker
  let map = null;

  const fetched = (element, attribute, address) =>
    new Promise((resolve, reject) => {
      element.onload = resolve;
      element.onerror = reject;
      element[attribute] = address;
      document.head.append(element);
    });

  async function open() {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    await Promise.all([
      fetched(style, "href", ground.dataset.style),
      fetched(document.createElement("script"), "src", ground.dataset.script),
    ]);
    map = L.map(ground, { zoomAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches });
    map.attributionControl.setPrefix(false);
    // Servers of tiles want to know whom they serve; our other links say nothing.
    L.tileLayer(ground.dataset.tiles, {
      attribution: ground.dataset.attribution, maxZoom: 19, referrerPolicy: "strict-origin",
    }).addTo(map);
    map.setView([20, 0], 1); // pins want a view before they are drawn
    mark();
  }

  function mark() {
    const left = new Set(pins.keys());
    const before = left.size;
    for (const lot of document.querySelectorAll("#results [data-at]")) {
      const { href } = lot.querySelector("h3 a");
      left.delete(href);
      if (!pins.has(href)) pins.set(href, place(lot));
      show(pins.get(href).getElement(), lot);
    }
    for (const href of left) {
      pins.get(href).remove();
      pins.delete(href);
    }
    // Another search is another place; the same one asked again leaves the map where the visitor moved it.
    const isOther = left.size || pins.size !== before;
    if (isOther && pins.size) {
      map.fitBounds(L.featureGroup([...pins.values()]).getBounds(), { padding: [40, 40], maxZoom: 16 });
    }
  }

  function place(lot) {
    const icon = L.divIcon({ className: "pw-pin", html: "<b></b><span></span>", iconSize: null });
    const link = lot.querySelector("h3 a").cloneNode(true);
    link.removeAttribute("id");
    return L.marker(lot.dataset.at.split(","), { icon }).bindPopup(link).addTo(map);
  }

  function show(pin, lot) {
    const parts = (name) => [...(lot.querySelector(name)?.childNodes ?? [])].map((part) => part.textContent.trim());
    const text = (name) => parts(name).filter(Boolean).join(" ");
    const [count, price] = pin.children;
    count.textContent = text(".pw-free b") || "–";
    price.textContent = text(".pw-price b");
    pin.dataset.level = lot.querySelector(".pw-free").className.split("--")[1];
    pin.setAttribute("aria-label", `${text("h3")}: ${text(".pw-free")}, ${text(".pw-price")}`);
  }

  box.addEventListener("toggle", () => {
    if (box.open && !map) open().catch(() => (box.open = false));
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (map) mark();
  });
})();

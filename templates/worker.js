// The browser's own helper for when there is no network: it shows the passes and bookings that were open before,
// and a page that says so for everything else. Nothing is answered from it while the network answers.
"use strict";
const SHELL = {{ shell }};
const SHELL_CACHE = `shell-${SHELL.version}`;
const PATIENCE = 5000; // ms, after which a kept page is better than a wait
const MOST_KEPT = 10;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(SHELL_CACHE).then((cache) => cache.addAll([SHELL.page, ...SHELL.files])).then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("shell-") && name !== SHELL_CACHE) await caches.delete(name);
    }
    if (self.registration.navigationPreload) await self.registration.navigationPreload.enable();
    await self.clients.claim();
  })());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(event, url));
  else if (url.pathname.startsWith(SHELL.static)) event.respondWith(file(request));
});

async function page(event, url) {
  const kept = await read(url);
  try {
    const answer = (async () => (await event.preloadResponse) || fetch(event.request))();
    const response = await (kept ? Promise.race([answer, tooLong()]) : answer);
    event.waitUntil(keep(url, response.clone()));
    return response;
  } catch (unreached) {
    return kept || (await caches.match(SHELL.page)) || Response.error();
  }
}

const tooLong = () => new Promise((_, reject) => setTimeout(reject, PATIENCE));

async function file(request) {
  try {
    return await fetch(request);
  } catch (unreached) {
    return (await caches.match(request, { ignoreSearch: true })) || Response.error();
  }
}

// ── Pages that say until when they are worth keeping ────────────────────────────────────
const UNTIL = "X-Keep-Until";
const isOver = (response) => !(Date.parse(response.headers.get(UNTIL)) > Date.now());

async function keep(url, response) {
  const cache = await caches.open("kept");
  if (response.status !== 200 || isOver(response)) {
    await cache.delete(url.pathname);
    return;
  }
  await cache.put(url.pathname, response);
  for (const oldest of (await cache.keys()).slice(0, -MOST_KEPT)) await cache.delete(oldest);
}

async function read(url) {
  const cache = await caches.open("kept");
  const response = await cache.match(url.pathname);
  if (!response || !isOver(response)) return response;
  await cache.delete(url.pathname);
  return undefined;
}

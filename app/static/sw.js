// The service worker: what was read last can be read again offline. The network comes first, so nothing is stale. The
// pages of one reader are in one cache, named by the account, with the static files that they name. It is deleted before
// an answer to anybody else is shown (X-Reader), and at the sign-out (Clear-Site-Data).
const READING = /^\/(notes(\/\d+(\/edit)?)?|todos|wordcounts(\/[\w-]+)?|mypage)$/; // what is kept: nothing secret
const MOST = 50; // pages
const OFFLINE = "/offline"; // says so
let asked = 0;
let latest = { number: 0 }; // the newest answer, and to whom
let turn = Promise.resolve();

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(Promise.all([clients.claim(), registration.navigationPreload?.enable()])));
addEventListener("message", (event) => event.waitUntil(ask(event, new Request(event.source.url))));
addEventListener("fetch", (event) => {
  const { request } = event;
  const isPage = request.mode === "navigate";
  if (new URL(request.url).origin !== origin) return;
  if (pathOf(request).startsWith("/static/")) event.respondWith(caches.match(request).then((file) => file ?? fetch(request)));
  else if (request.method !== "GET") { if (isPage && !navigator.onLine) event.respondWith(offline()); } // nothing was sent
  else if (isPage) event.respondWith(ask(event, request).catch(() => kept(request)));
  else if (READING.test(pathOf(request)) && request.cache !== "no-store") event.respondWith(ask(event, request));
});

async function ask(event, request) {
  const number = (asked += 1);
  const answer = (await event.preloadResponse) ?? (await fetch(request));
  const reader = answer.headers.get("X-Reader"); // without it, the server did not look who it is
  const cache = reader && (await (turn = turn.then(() => settle(number, reader))).catch(() => {}));
  const isKept = cache && answer.status === 200 && !answer.redirected && READING.test(pathOf(request));
  if (isKept) event.waitUntil(keep(cache, request, answer.clone()).catch(() => {})); // full, or files gone
  return answer;
}

// The cache of this reader, from here on the only one. An answer that somebody else's has overtaken gets none.
async function settle(number, reader) {
  if (number > latest.number) latest = { number, reader };
  else if (reader !== latest.reader) return;
  for (const name of await caches.keys()) if (name !== reader) await caches.delete(name);
  if (reader !== "none") return caches.open(reader);
  await registration.unregister();
}

async function keep(cache, request, answer) {
  const known = (await cache.keys()).map(({ url }) => url);
  const missing = filesOf(await answer.clone().text()).filter((file) => !known.includes(file));
  if (missing.length) await cache.addAll([OFFLINE, ...missing]);
  await cache.put(request.url, answer); // as the last one
  const pages = (await cache.keys()).filter((other) => READING.test(pathOf(other)));
  for (const page of pages.splice(0, pages.length - MOST)) await cache.delete(page);
  if (!missing.length) return;
  const used = []; // by pages of before a deploy too
  for (const page of pages) used.push(...filesOf((await (await cache.match(page))?.text()) ?? ""));
  for (const url of known) if (url.includes("/static/") && !used.includes(url)) await cache.delete(url);
}

function pathOf({ url }) {
  return new URL(url).pathname;
}

function filesOf(html) {
  const paths = html.matchAll(/ (?:href|src)="(\/static\/[^"#]+)/g);
  return [...new Set(Array.from(paths, ([, path]) => origin + path))];
}

async function kept(request) {
  const url = new URL(request.url);
  if (url.pathname === "/") return Response.redirect("/notes"); // as the server does
  const page = (await find(url)) ?? (url.searchParams.delete("q"), await find(url)); // for search.js
  const html = await page?.text();
  return html ? new Response(html.replace('id="kept" hidden', 'id="kept"'), page) : offline();
}

async function offline() {
  return (await find(OFFLINE)) ?? Response.error();
}

function find(url) {
  return caches.match(url, { ignoreVary: true });
}

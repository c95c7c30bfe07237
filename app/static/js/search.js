// Typing searches too, in its place (inplace.js). The first search is a new entry of the browser's history; what is typed
// on replaces it. Without a network the list that is there is looked through, until the network is back.
const PAUSE = 300; // milliseconds without a key
const form = document.querySelector("form.search");
let pause;
let shown = location.search;
let isBehind = false; // the list is not of what is searched for

form.addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(search, PAUSE);
});
document.addEventListener("inplace:follow", ({ detail: { link } }) => { // such as the one that clears the search
  form.elements.q.value = new URL(link.href).searchParams.get("q") ?? "";
});
document.addEventListener("inplace:shown", () => {
  shown = location.search;
  isBehind = false;
});
document.addEventListener("inplace:missed", () => isBehind && lookThrough());
addEventListener("online", () => isBehind && show());
addEventListener("popstate", () => words(location.search) === words() || location.reload());
if (words() && !form.elements.q.defaultValue && !document.getElementById("kept").hidden) { // sw.js has the list alone
  form.elements.q.value = words();
  isBehind = true;
  lookThrough();
}

function words(query = shown) {
  return new URLSearchParams(query).get("q") ?? "";
}

function search() {
  const url = new URL(form.action);
  url.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  if (url.search === shown) return;
  history[words() ? "replaceState" : "pushState"](null, "", url);
  shown = url.search;
  show();
}

function show() {
  isBehind = true;
  document.dispatchEvent(new CustomEvent("inplace:show", { detail: { url: location.href, cache: "no-store" } }));
}

function lookThrough() {
  const wanted = words().normalize().toLowerCase().split(/\s+/);
  for (const row of document.querySelectorAll("main :is(article, .day, #todos li)")) {
    row.hidden = !wanted.every((word) => row.textContent.toLowerCase().includes(word));
  }
  document.getElementById("found").replaceChildren();
  document.getElementById("offline").hidden = false;
}

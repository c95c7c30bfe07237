// Typing searches too, in its place (inplace.js). The first search is a new entry of the browser's history; what is typed
// on replaces it.
const PAUSE = 300; // milliseconds without a key
const form = document.querySelector("form.search");
let pause;
let shown = location.search;

form.addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(search, PAUSE);
});
document.addEventListener("inplace:shown", () => (shown = location.search));
addEventListener("popstate", () => location.search === shown || location.reload());

function search() {
  const url = new URL(form.action);
  url.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  if (url.search === shown) return;
  if (!new URLSearchParams(shown).has("q")) history.pushState(null, "", url);
  shown = url.search;
  document.dispatchEvent(new CustomEvent("inplace:show", { detail: { url, cache: "no-store" } }));
}

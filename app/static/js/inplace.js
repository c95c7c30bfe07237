// Parts of a page change in their place: the elements with data-part and an id are replaced by those of another page, the
// one that a link inside of data-inplace leads to, or a form that was sent (outbox.js). With data-part="before" their content
// is put before what stands there. All works without this too.
let newest = 0; // pages that were asked for; of two at once the later one is shown

document.addEventListener("inplace:show", ({ detail }) => show(detail.url));
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-inplace] a:not([href^='#'])");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  document.dispatchEvent(new CustomEvent("inplace:follow", { detail: { link } }));
  show(link.href);
});

// A task of a note is ticked at once, whatever the network does.
document.addEventListener("outbox:kept", ({ detail: { submitter } }) => {
  if (submitter?.name === "task") submitter.ariaPressed = String(submitter.ariaPressed !== "true");
});

async function show(url) {
  const number = (newest += 1);
  const answer = await fetch(url).catch(() => {});
  const html = await answer?.text().catch(() => {});
  if (number !== newest) return;
  const offline = document.getElementById("offline");
  if (offline) offline.hidden = html !== undefined;
  if (html === undefined) return;
  const page = new DOMParser().parseFromString(html, "text/html");
  const parts = [...document.querySelectorAll("[data-part]")].map((old) => [old, page.getElementById(old.id)]);
  if (!answer.ok || parts.some(([, part]) => !part)) return location.assign(url); // an error, or the sign-in
  for (const { id } of document.querySelectorAll("[data-part] details[id][open]")) {
    const details = page.getElementById(id);
    if (details) details.open = true;
  }
  const focused = document.activeElement.closest("[data-part]") && focusable();
  for (const [old, part] of parts) {
    if (old.dataset.part === "before") old.prepend(...part.children);
    else old.replaceWith(part);
    window.htmx?.process(part);
  }
  history.replaceState(null, "", answer.url);
  (document.querySelector("[data-part] [autofocus]") ?? (focused && document.querySelector(focused)))?.focus();
  document.dispatchEvent(new CustomEvent("inplace:shown"));
}

// A selector of what has the focus, to find it again among the new parts.
function focusable() {
  const { id } = document.activeElement;
  const names = document.activeElement.getAttribute("aria-labelledby");
  return id ? `#${id}` : names && `[aria-labelledby="${names}"]`;
}

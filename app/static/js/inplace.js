// Parts of a page change in their place: the elements with data-part and an id are replaced by those of another page, the
// one that a link inside of data-inplace leads to (to another site it has a rel), a search that is typed (search.js), or a
// form that was sent (outbox.js).
// With data-part="before" their content is put before what stands there; with "within" it takes its place. The older part
// of a list is put below the newer one. All works without this too.
const EDITED = "[data-part] .editor :is(input:not([type=hidden]), textarea)";
let newest = 0; // pages that were asked for; of two at once the later one is shown
let underWay = 0; // of these, what the reader asked for
let isRefreshDue = false;

addEventListener("online", () => tellOffline(false));
document.addEventListener("inplace:show", ({ detail }) => follow(detail.url, detail.cache));
document.addEventListener("inplace:refresh", (event) => {
  event.preventDefault(); // no need to load the page anew, see page.js
  refresh(event.detail.url);
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-inplace] a:not([href^='#'], [rel]), #more a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (link.closest("#more")) return append(link);
  document.dispatchEvent(new CustomEvent("inplace:follow", { detail: { link } }));
  if ("cancel" in link.dataset) show(link.href);
  else follow(link.href);
});

// A task of a note is ticked at once, whatever the network does. A second click takes it back.
document.addEventListener("outbox:kept", ({ detail: { form, submitter } }) => {
  for (const field of form.querySelectorAll(EDITED)) field.defaultValue = field.value; // as it will be stored
  if (submitter?.name !== "task") return;
  submitter.ariaPressed = String(submitter.ariaPressed !== "true");
  submitter.value = submitter.value.replace(/[01]$/, (done) => 1 - done);
});

// A page that the reader asked for.
async function follow(url, cache) {
  if (isEdited()) document.querySelector("[data-part] .editor").requestSubmit(); // the outbox saves it
  underWay += 1;
  await show(url, cache);
  underWay -= 1;
  if (isRefreshDue) refresh(location.href);
}

// The list with what was sent. It neither overtakes what the reader asked for, nor takes away what is typed in an editor.
function refresh(url) {
  isRefreshDue = underWay > 0 || isEdited();
  if (!isRefreshDue) show(url, undefined, false);
}

function isEdited() {
  return [...document.querySelectorAll(EDITED)].some(({ value, defaultValue }) => value !== defaultValue);
}

// What nobody asked for leads to no error page.
async function show(url, cache, isAsked = true) {
  const number = (newest += 1);
  const { answer, page } = await load(url, cache);
  const isMissed = !page || (!isAsked && answer.status >= 500);
  if (isMissed) document.dispatchEvent(new CustomEvent("inplace:missed"));
  if (isMissed || number !== newest) return;
  const parts = [...document.querySelectorAll("[data-part]")].map((old) => [old, page.getElementById(old.id)]);
  if (!answer.ok || parts.some(([, part]) => !part)) return location.assign(url); // an error, or the sign-in
  for (const { id } of document.querySelectorAll("[data-part] details[id][open]")) {
    const details = page.getElementById(id);
    if (details) details.open = true;
  }
  const focused = document.activeElement.closest("[data-part]") && focusable();
  const menu = document.querySelector("[data-part] :popover-open")?.id;
  for (const [old, part] of parts) {
    if (old.dataset.part === "before") old.prepend(...part.children);
    else if (old.dataset.part === "within") old.replaceChildren(...part.childNodes);
    else if (!old.isEqualNode(part)) {
      keepChoice(old, part);
      old.replaceWith(part);
    }
  }
  if (menu && !document.querySelector(":popover-open")) document.querySelector(`[popovertarget=${menu}]`)?.click();
  history.replaceState(null, "", answer.url);
  document.title = page.title;
  const field = document.querySelector("[data-part] [autofocus]");
  (field ?? (focused && document.querySelector(focused)))?.focus();
  if (field?.type === "text") field.setSelectionRange(field.value.length, field.value.length); // to go on writing
  document.dispatchEvent(new CustomEvent("inplace:shown"));
}

// What was chosen, the notes of a list or the day of the next todo, is chosen in the new part too, if that offers it.
function keepChoice(old, part) {
  for (const { value } of old.querySelectorAll("[name=note]:checked")) {
    for (const box of part.querySelectorAll(`[name=note][value="${value}"]`)) box.checked = true;
  }
  const tag = part.querySelector("#tag");
  if (tag) tag.value = old.querySelector("#tag")?.value ?? "";
  const were = [...old.querySelectorAll(".chips input")];
  if (were.every((was) => was.checked === was.defaultChecked && was.value === was.defaultValue)) return;
  for (const field of part.querySelectorAll(".chips input")) {
    const was = were.find(({ type, value }) => type === field.type && (type === "date" || value === field.value));
    field.checked = !!was?.checked;
    if (was) field.value = was.value;
  }
}

// The page behind "Show older": its list comes below the one that is shown, without a heading that stands there already.
async function append(link) {
  const { page } = await load(link.href, "no-store");
  const list = page?.querySelector(".days");
  if (!page || !link.isConnected) return; // no network, or a second click
  if (!list) return location.assign(link.href);
  list.querySelector(".continued")?.remove();
  link.closest("#more").replaceWith(list, page.getElementById("more") ?? "");
  list.querySelector("h3 a").focus();
  if (!list.dataset.list) return;
  history.replaceState(null, "", list.dataset.list);
  const { choose } = document.forms; // from all that is shown
  choose.action = choose.getAttribute("action").replace(/\?.*|$/, location.search);
  for (const { elements } of document.querySelectorAll(".days")) elements.next.value = list.dataset.list;
}

// With `cache` "no-store" the service worker does not keep the page either. No page: there is no network, which is told.
async function load(url, cache) {
  const answer = await fetch(url, { cache }).catch(() => {});
  const html = await answer?.text().catch(() => {});
  tellOffline(html === undefined);
  return html === undefined ? {} : { answer, page: new DOMParser().parseFromString(html, "text/html") };
}

function tellOffline(isOffline) {
  document.getElementById("offline").hidden = !isOffline;
}

// A selector of what has the focus, to find it again among the new parts.
function focusable() {
  const { id } = document.activeElement;
  const names = document.activeElement.getAttribute("aria-labelledby");
  return id ? `#${id}` : names && `[aria-labelledby="${names}"]`;
}

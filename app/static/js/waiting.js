// What the outbox holds: new texts in the list below their form, and one line about what waits or was refused.
const line = document.getElementById("outbox");
const [words, signIn, look] = ["span", "a", "button"].map((name) => line.querySelector(name));
let refused = [];

document.addEventListener("outbox:changed", ({ detail }) => {
  refused = detail.entries.filter((entry) => entry.refused !== undefined);
  showLine(detail);
  for (const list of document.querySelectorAll(".waiting")) showList(list, detail);
});

// An editor goes on from what waits: its own page may be older, as one that the service worker kept.
document.addEventListener("outbox:changed", ({ detail }) => {
  for (const form of document.querySelectorAll("form[data-outbox=edit]:not([data-refused])")) {
    const isOfForm = ({ kind, action, refused }) => kind === "edit" && action === form.getAttribute("action") && refused === undefined;
    for (const [name, value] of detail.entries.findLast(isOfForm)?.fields ?? []) {
      const field = form.elements[name];
      if (!field || name === "next" || field.value === value) continue;
      field.value = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }
}, { once: true });

// In the form that it was entered in, until something else is typed there.
document.addEventListener("outbox:sent", ({ detail: { form, said } }) => {
  const note = form?.querySelector("[data-sent]");
  if (!note || !said.open) return;
  note.querySelector("a").href = said.open;
  note.hidden = false;
  form.addEventListener("input", ({ target }) => (note.hidden = !!target.value));
});

look.addEventListener("click", () => document.dispatchEvent(new CustomEvent("outbox:open", { detail: refused[0] })));

// What is on its way and what was refused; not what is being sent just now.
function showLine({ entries, isStuck, isSignedOut }) {
  const isAway = isStuck && entries.length > refused.length;
  const number = isAway ? entries.length : refused.length;
  words.textContent = number === 1 ? line.dataset.one : line.dataset.words.replace("{}", number);
  signIn.search = new URLSearchParams({ next: location.pathname + location.search });
  signIn.hidden = !isAway || !isSignedOut;
  look.hidden = !refused.length;
  line.hidden = !number;
}

// The newest on top, as in the list below. What was sent stays until that list shows it.
function showList(list, { entries, sent }) {
  const mine = [...sent, ...entries].filter(({ kind, page }) => kind === "new" && page === location.pathname).reverse();
  list.querySelectorAll("li").forEach((row) => row.remove());
  for (const entry of mine) {
    const row = list.querySelector("template").content.firstElementChild.cloneNode(true);
    row.querySelector("bdi").textContent = entry.text;
    row.querySelector("span").textContent = entry.refused || (entry.location ? "" : list.ariaLabel); // sent, if it has a place
    list.append(row);
  }
  list.hidden = !mine.length;
}

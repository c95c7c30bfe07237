// The list of todos changes in its place: see outbox.js and inplace.js. This keeps the focus, and tells screen readers.
const byId = (id) => document.getElementById(id);
const OPEN = "#todos > .list li";
const REOPENING = "#messages .message:has([action*='/reopen'])";
let action; // what was done last: see describe()
let place; // that got the focus after it
for (const message of document.querySelectorAll("#messages .message")) message.dataset.announced = ""; // with the page

document.addEventListener("outbox:kept", ({ detail: { form, submitter, text } }) => {
  action = describe(submitter ?? form, form.id || submitter?.value || (form.closest("li") ? "save" : "undo"), text);
  if (submitter?.matches(".tick")) tick(submitter);
  else if (["delete", "clear"].includes(action.name)) submitter.disabled = true; // there is nothing more to delete
  form.closest("#messages .message")?.remove(); // to undo it twice makes no sense
});
document.addEventListener("change", ({ target }) => {
  if (target.id === "sort") order(target);
  for (const other of target.closest(".chips")?.querySelectorAll("input") ?? []) {
    if (other === target) continue; // of the days by name and that of the calendar, the last choice counts
    other.checked = false;
    if (other.type === "date") other.value = "";
  }
});
document.addEventListener("keydown", (event) => event.key === "Tab" && goOn(event));
document.addEventListener("inplace:follow", ({ detail: { link } }) => (action = describe(link, link.closest("li") ? "" : "shown")));
document.addEventListener("inplace:shown", () => {
  for (const message of document.querySelectorAll("#messages [data-over]")) message.remove();
  if (!action) return;
  const { name, text } = action;
  if (document.activeElement === document.body) focusPlace(action);
  announce(name, name === "shown" ? document.querySelectorAll(OPEN).length : text);
  action = undefined;
});

function describe(element, name, typed) {
  const row = element.closest("li");
  return {
    name,
    row: /\d+/.exec(row?.id ?? element.closest("form")?.getAttribute("action"))?.[0], // a message names what it restores
    index: row && [...row.parentElement.children].indexOf(row),
    list: row?.closest("#done-ones") ? "#done-ones li" : OPEN,
    text: row?.querySelector("bdi")?.textContent || typed,
  };
}

// At once, whatever the network does. A second click takes it back. Of what was ticked, the last one can be undone.
function tick(button) {
  for (const message of document.querySelectorAll(REOPENING)) message.dataset.over = "";
  const isDone = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(isDone));
  button.value = isDone ? "0" : "1";
  button.closest("li").classList.toggle("done", isDone);
}

// The control that was used keeps the focus if it is there again. Else its row gets it, or the one that has taken its place:
// nothing that acts, since the key may be pressed again. Who has edited a row is back at the link that they came by.
function focusPlace({ name, row, index, list }) {
  const rows = document.querySelectorAll(list);
  const link = ["save", ""].includes(name) && byId(`edit-${row}`);
  if (link && link.checkVisibility()) return link.focus();
  place = [byId(`todo-${row}`), rows[Math.min(index, rows.length - 1)]].find((element) => element?.checkVisibility()) ?? byId("todos");
  Object.assign(place, { tabIndex: -1 }).focus();
}

// From there, Undo is the next stop, and behind the message the list goes on.
function goOn(event) {
  const controls = byId("messages").querySelector(".message")?.querySelectorAll("button, a") ?? [];
  const stops = [place, ...controls, place?.querySelector("button, a")];
  const here = stops.indexOf(event.target);
  if (here < 0 || !place?.isConnected) place = undefined;
  const next = place && stops[here + (event.shiftKey ? -1 : 1)];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

function order(select) {
  action = describe(select, "shown");
  const url = select.value ? `${select.form.action}?sort=${select.value}` : select.form.action;
  document.dispatchEvent(new CustomEvent("inplace:show", { detail: { url } }));
}

// To screen readers: a new message if there is one, else a sentence about the action.
function announce(name, text) {
  const message = byId("messages").querySelector(".message[role]:not([data-announced])");
  message?.removeAttribute("role"); // else it would be announced twice
  const sentence = message?.querySelector(".words").textContent ?? byId("live").dataset[name]?.replace("{}", text);
  if (!sentence) return;
  byId("live").textContent = "";
  requestAnimationFrame(() => (byId("live").textContent = sentence));
}

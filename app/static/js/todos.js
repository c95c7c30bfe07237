// The list of todos changes in its place: see outbox.js and inplace.js. This keeps the focus, and tells screen readers.
const byId = (id) => document.getElementById(id);
let action; // what was done last: see describe()
for (const message of document.querySelectorAll("#messages .message")) message.dataset.announced = ""; // with the page

document.addEventListener("outbox:kept", ({ detail: { form, submitter, text } }) => {
  action = describe(submitter ?? form, form.id || submitter?.value || "save", text);
  if (submitter?.matches(".tick")) tick(submitter);
  form.closest("#messages .message")?.remove(); // to undo it twice makes no sense
});
// A day of the calendar and one by name: the last choice counts.
document.addEventListener("change", ({ target }) => {
  const date = target.closest(".chips")?.querySelector("[type=date]");
  if (target === date) for (const radio of date.form.elements.named_day) radio.checked = !date.value && !radio.value;
  else if (date) date.value = "";
});
document.addEventListener("inplace:follow", ({ detail: { link } }) => (action = describe(link, "")));
document.addEventListener("inplace:shown", () => {
  if (!action) return;
  const { name, row, index, text } = action;
  action = undefined;
  if (document.activeElement === document.body || name === "delete" || name === "clear") focusNear(name, row, index);
  announce(name, text);
});

function describe(element, name, typed) {
  const row = element.closest("li");
  return {
    name,
    row: row?.id.replace("todo-", ""),
    index: row && [...row.parentElement.children].indexOf(row),
    text: row?.querySelector("bdi")?.textContent || typed,
  };
}

// At once, whatever the network does. A second click takes it back.
function tick(button) {
  const isDone = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(isDone));
  button.value = isDone ? "0" : "1";
  button.closest("li").classList.toggle("done", isDone);
}

// The control that was used keeps the focus if it is there again. Else the nearest one gets it.
function focusNear(name, row, index) {
  const rows = document.querySelectorAll("#todos > .list li"); // of a done one, the next that is open
  const undo = byId("messages").querySelector("form button");
  const sameRow = byId(`todo-${row}`);
  const nearest =
    (["delete", "clear"].includes(name) && undo) ||
    (["0", "1"].includes(name) && inSight(byId(`tick-${row}`))) ||
    (sameRow && ["up", "down"].includes(name) && (enabled(`${name}-${row}`) ?? sameRow.querySelector("[name=direction]:enabled"))) ||
    inSight(byId(`edit-${row}`)) ||
    rows[Math.min(index ?? 0, rows.length - 1)]?.querySelector("button, input:not([type=hidden])") ||
    byId("description");
  nearest.focus();
}

function inSight(element) {
  return element?.checkVisibility() ? element : null;
}

function enabled(id) {
  const button = byId(id);
  return button?.disabled ? null : button;
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

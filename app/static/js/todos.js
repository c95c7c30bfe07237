// The list of todos changes in its place, through htmx. Each form and link works without this too.
const byId = (id) => document.getElementById(id);
const main = byId("main");
const listPath = new URL(byId("add").action).pathname;
let action; // what the request under way is about: see describe()
let underWay = 0; // requests
let overlapped = false; // requests overlapped: the last answer may show the older state of the list
for (const message of document.querySelectorAll("#messages .message")) message.dataset.announced = ""; // with the page

document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  overlapped ||= underWay > 0;
  underWay += 1;
  if (detail.elt === document.body) return; // the reload below
  byId("offline").hidden = true;
  action = describe(detail);
});

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const { xhr } = detail;
  if (!new URL(xhr.responseURL).pathname.startsWith(listPath)) {
    detail.shouldSwap = false; // the session has ended
    const form = detail.requestConfig.elt;
    if (form.elements?.description) form.submit(); // as a page: the sign-in page then keeps the text
    else location.assign(xhr.responseURL);
  } else if (xhr.status >= 500) {
    detail.shouldSwap = false; // the typed text stays
    byId("offline").hidden = false;
  } else if (xhr.status !== 200 || !byId("todos") || main.querySelector("[aria-invalid]")) {
    detail.shouldSwap = detail.isError = false;
    showPage(xhr.responseText);
  } else {
    detail.target = byId("todos"); // an answer to another request may have replaced the list since
  }
});

document.addEventListener("htmx:afterRequest", () => {
  underWay -= 1;
  if (underWay || !overlapped) return;
  overlapped = false;
  htmx.ajax("GET", location.href, { target: "#todos", select: "#todos", swap: "outerHTML show:none" });
});

document.addEventListener("htmx:sendError", () => {
  byId("offline").hidden = false;
});

document.addEventListener("htmx:afterSwap", () => {
  if (!action) return;
  const { name, row, index, text } = action;
  action = undefined;
  if (name === "add") emptyField();
  if (document.activeElement === document.body || name === "delete" || name === "clear") focusNear(name, row, index);
  announce(name, text);
});

// The name of the action is the form's id, or the value of the button, or "save" for a form that is sent by Enter.
function describe({ elt: form, requestConfig }) {
  const row = form.closest("li");
  const control = requestConfig.triggeringEvent?.submitter ?? form;
  const typed = form.elements?.description;
  return {
    name: form.id || control.value || (form.matches("form") ? "save" : ""),
    row: row?.id.replace("todo-", ""),
    index: row && [...row.parentElement.children].indexOf(row),
    text: (row?.querySelector("bdi") ?? typed)?.textContent || typed?.value,
  };
}

// A page other than the list, or the list with the errors of a refused form.
function showPage(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  document.title = page.title;
  main.replaceChildren(...page.getElementById("main").childNodes);
  htmx.process(main);
  (main.querySelector("[autofocus]") ?? main).focus();
}

function emptyField() {
  for (const field of byId("add").querySelectorAll("input:not([type=hidden])")) field.value = "";
  byId("description").focus();
}

// htmx keeps the focus on the control that was used. If that is gone, the nearest one gets it.
function focusNear(name, row, index) {
  const rows = document.querySelectorAll(".list li");
  const undo = byId("messages").querySelector("form button");
  const sameRow = byId(`edit-${row}`)?.closest("li");
  const nearest =
    (["delete", "clear"].includes(name) && undo) ||
    (sameRow && ["up", "down"].includes(name) && sameRow.querySelector("[name=direction]:enabled")) ||
    (sameRow && byId(`edit-${row}`)) ||
    rows[Math.min(index ?? 0, rows.length - 1)]?.querySelector("button, input") ||
    byId("description");
  nearest.focus();
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

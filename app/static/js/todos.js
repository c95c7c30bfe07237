// The list changes without leaving the page. Each of its forms and links works without this.
const main = document.getElementById("main");
const byId = (id) => document.getElementById(id);
let asked; // what the request that is under way was made with
let underWay = 0;
let crossed = false; // two were under way at once, and the answer that came last may be the one that knows less
for (const message of document.querySelectorAll("#said .message")) message.dataset.said = ""; // with the page

document.addEventListener("htmx:beforeRequest", (event) => {
  const form = event.detail.elt;
  crossed ||= underWay > 0;
  underWay += 1;
  if (form === document.body) return; // our own, below
  const row = form.closest("li");
  const control = event.detail.requestConfig.triggeringEvent?.submitter ?? form;
  byId("offline").hidden = true;
  asked = {
    act: form.id || control.value || (form.matches("form") ? "save" : ""),
    row: row?.id.replace("todo-", ""),
    place: row && [...row.parentElement.children].indexOf(row),
    text: (row?.querySelector("bdi") ?? form.elements?.description)?.textContent || form.elements?.description?.value,
  };
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (!new URL(xhr.responseURL).pathname.startsWith("/todos")) {
    event.detail.shouldSwap = false; // signed out meanwhile
    const form = event.detail.requestConfig.elt;
    if (form.elements?.description) form.submit(); // by the browser: the sign-in page carries what was typed
    else location.assign(xhr.responseURL);
  } else if (xhr.status >= 500) {
    event.detail.shouldSwap = false; // what is typed stays
    byId("offline").hidden = false;
  } else if (xhr.status !== 200 || !byId("todos") || main.querySelector("[aria-invalid]")) {
    event.detail.shouldSwap = event.detail.isError = false;
    showPage(xhr.responseText);
  } else {
    event.detail.target = byId("todos"); // the one of now: an answer to another click may have put a new one there
  }
});

document.addEventListener("htmx:afterRequest", () => {
  underWay -= 1;
  if (underWay || !crossed) return;
  crossed = false;
  htmx.ajax("GET", location.href, { target: "#todos", select: "#todos", swap: "outerHTML show:none" });
});

document.addEventListener("htmx:sendError", () => {
  byId("offline").hidden = false;
});

document.addEventListener("htmx:afterSwap", () => {
  if (!asked) return;
  const { act, row, place, text } = asked;
  asked = undefined;
  if (act === "add") emptyField();
  if (document.activeElement === document.body || act === "delete" || act === "clear") focusNear(act, row, place);
  say(act, text);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing || event.keyCode === 229) return;
  event.target.closest(".editor")?.querySelector("[data-cancel]").click();
});

// Another page than the list, or the list with a form that was refused.
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

// The control that was used stays in focus; where it is gone, the one that is nearest.
function focusNear(act, row, place) {
  const rows = document.querySelectorAll(".list li");
  const undo = byId("said").querySelector("form button");
  const there = byId(`edit-${row}`)?.closest("li");
  const near =
    (["delete", "clear"].includes(act) && undo) ||
    (there && ["up", "down"].includes(act) && there.querySelector("[name=direction]:enabled")) ||
    (there && byId(`edit-${row}`)) ||
    rows[Math.min(place ?? 0, rows.length - 1)]?.querySelector("button, input") ||
    byId("description");
  near.focus();
}

function say(act, text) {
  const message = byId("said").querySelector(".message[role]:not([data-said])"); // earlier ones stay until they are closed
  message?.removeAttribute("role"); // it is said here, once
  const sentence = message?.querySelector(".words").textContent ?? byId("live").dataset[act]?.replace("{}", text);
  if (!sentence) return;
  byId("live").textContent = "";
  requestAnimationFrame(() => (byId("live").textContent = sentence));
}

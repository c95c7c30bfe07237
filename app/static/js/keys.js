// Keyboard shortcuts. Single letters work only outside of fields, and can be switched off (WCAG 2.1.4).
const ROWS = ".note, .list li"; // of a list; each begins with a link, or has one
const CONTROLS = { e: "a[href^='/']:is([href*='/edit'], [href*='edit='])", "#": "[formaction*='/delete']", x: "[name=note]" }; // of a row
const ACTIONS = { n: () => goTo("new-note"), "/": () => goTo("search"), "?": showShortcuts, j: () => move(1), k: () => move(-1) };
const opener = document.getElementById("open-shortcuts"); // the only way to the list while the letters are off
opener.hidden = !matchMedia("(any-hover: hover)").matches; // a phone has no keys
opener.addEventListener("click", showShortcuts);

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.keyCode === 229) return; // an IME is composing a syllable; Safari says so by 229
  if (event.key === "Escape") return cancelEdit(event);
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") return save(event);
  if (event.key === "Enter" && event.target.name === "title") return goOn(event);
  if (event.key === "Enter" && event.target.name === "content" && !event.shiftKey) return continueList(event);
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || opener.dataset.letters === "off") return;
  if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog")) return;
  const key = letter(event);
  const control = CONTROLS[key] && rowOf(event.target)?.querySelector(CONTROLS[key]);
  const action = control ? () => control.click() : ACTIONS[key];
  if (!action) return;
  event.preventDefault();
  action();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close-dialog]")) event.target.closest("dialog").close();
});

async function showShortcuts() {
  if (!document.getElementById("shortcuts")) {
    const here = encodeURIComponent(location.pathname + location.search);
    const answer = await fetch(`${opener.dataset.list}?next=${here}`).catch(() => {});
    if (!answer?.ok || answer.redirected) return; // offline or signed out, which the next page says
    document.body.insertAdjacentHTML("beforeend", await answer.text());
  }
  document.getElementById("shortcuts").showModal();
}

// On a Korean keyboard the key of "n" types "ㅜ".
function letter({ key, code }) {
  return /^[ㄱ-ㅣ]$/.test(key) ? code.replace("Key", "").toLowerCase() : key;
}

// The row that has the focus; on the page of one note, that note.
function rowOf(target) {
  return target.closest(ROWS) ?? document.querySelector("main:has(> .reading)");
}

// The link of a row gets the focus: it acts by nothing but Enter.
function move(step) {
  const rows = [...document.querySelectorAll(ROWS)].filter((row) => row.checkVisibility());
  const place = rows.indexOf(document.activeElement.closest(ROWS));
  rows[place < 0 ? 0 : place + step]?.querySelector("a").focus();
}

// Of a row that is edited in its list.
function cancelEdit(event) {
  event.target.closest(".list .editor")?.querySelector("[data-cancel]").click();
}

function save(event) {
  const form = event.target.form;
  if (!form || form.method !== "post") return;
  event.preventDefault();
  if (!event.repeat) form.requestSubmit(); // keys that are held down save once
}

// From the title to the text: a title alone is seldom meant.
function goOn(event) {
  event.preventDefault();
  event.target.form.elements.content.focus();
}

// An item of a list, as on the page (app/notes/syntax.py): `11. 25. 회의` is a date, and `2026. …` a year.
const ITEM =
  /^([ \t>]*)(?!\d{1,4}\. ?\d{1,2}(?:\.(?!\d)| ?\([월화수목금토일]\)))([-*+]|\d{1,3}[.)])[ \t](\[[ xX]\][ \t])?/;

// The next line of a list begins as this one does, a task without its tick. Enter in an empty one ends the list, by an empty
// line: what stood right below would be a part of the last item.
function continueList(event) {
  const { value, selectionStart, selectionEnd } = event.target;
  const start = value.lastIndexOf("\n", selectionStart - 1) + 1;
  const line = value.slice(start, selectionStart);
  const [marker, indent, bullet, task = ""] = line.match(ITEM) ?? [];
  if (!marker || selectionStart !== selectionEnd) return;
  event.preventDefault();
  const isEmpty = !value.slice(start + marker.length).split("\n", 1)[0].trim();
  const following = bullet.replace(/\d+/, (number) => Number(number) + 1);
  const isBelowText = /\S[^\n]*\n$/.test(value.slice(0, start)); // and not below an empty line
  if (isEmpty) event.target.setSelectionRange(start, start + marker.length);
  if (isEmpty && !isBelowText) return document.execCommand("delete");
  document.execCommand("insertText", false, isEmpty ? "\n" : `\n${indent}${following} ${task && "[ ] "}`); // it can be undone
}

// Both fields are on the page of notes, where a search hides that of the new note.
function goTo(id) {
  const field = document.getElementById(id);
  if (field?.checkVisibility()) field.focus();
  else location.assign(`${opener.dataset.notes}#${id}`);
}

// Keyboard shortcuts. Letters alone only outside of fields, and only while they are switched on (WCAG 2.1.4).
const list = document.getElementById("shortcuts");
const opener = document.getElementById("open-shortcuts"); // the one way to the list while the letters are off
opener.hidden = !matchMedia("(any-hover: hover)").matches; // a phone has no keys
opener.addEventListener("click", () => list.showModal());

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.keyCode === 229) return; // a syllable is being put together
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") return save(event);
  if (event.ctrlKey || event.metaKey || event.altKey || list.dataset.letters === "off") return;
  if (event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
  const act = { n: writeNote, "/": search, "?": () => list.showModal() }[letter(event)];
  if (!act) return;
  event.preventDefault();
  act();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close-dialog]")) event.target.closest("dialog").close();
});

// A Korean keyboard gives ㅜ where a Latin one gives n; the key is the same.
function letter(event) {
  return event.code === "KeyN" && !event.shiftKey ? "n" : event.key;
}

function save(event) {
  const form = event.target.form;
  if (!form || form.method !== "post") return;
  event.preventDefault();
  if (!event.repeat) form.requestSubmit(); // held down, they save once
}

function writeNote() {
  goTo("new-note", "/notes#new-note");
}

function search() {
  goTo("search", "/notes#search");
}

function goTo(id, address) {
  const field = document.getElementById(id);
  if (field) field.focus();
  else location.assign(address);
}

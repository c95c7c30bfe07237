// The list of notes: choosing several, and coming back to the one that was opened.
const HOLD = 450; // ms: before the browser opens a menu of its own
let hold;
let isHeld = false; // a note was chosen by holding it down, so letting go opens nothing

document.addEventListener("change", ({ target }) => target.name === "note" && tellNumber());
document.addEventListener("pointerdown", startHold);
for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => clearTimeout(hold));
document.addEventListener("contextmenu", (event) => isHeld && event.preventDefault());
document.addEventListener("click", endHold, true);
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-all], [data-none]")) chooseAll(event);
  const link = event.target.closest(".note a");
  if (link && event.detail && document.getElementById("choose").checkVisibility()) chooseOne(event);
  else if (link) returnTo(link);
});

function startHold(event) {
  clearTimeout(hold);
  isHeld = false;
  const box = event.pointerType === "touch" && event.target.closest(".note")?.querySelector("[name=note]:not(:checked)");
  if (box) hold = setTimeout(() => { isHeld = true; box.click(); }, HOLD);
}

function endHold(event) {
  if (!isHeld || event.target.name === "note") return;
  isHeld = false;
  event.preventDefault();
  event.stopPropagation();
}

function chooseOne(event) {
  event.preventDefault();
  event.target.closest(".note").querySelector("[name=note]").click();
}

// Also of the pages that "Show older" has put below this one.
function chooseAll(event) {
  event.preventDefault();
  const isNone = "none" in event.target.dataset;
  for (const box of document.querySelectorAll("[name=note]")) box.checked = !isNone;
  if (isNone) location.replace("#list"); // nothing is the target any more
  tellNumber();
}

function tellNumber() {
  const words = document.querySelector("#choose [data-words]").dataset.words;
  const number = document.querySelectorAll("[name=note]:checked").length;
  document.dispatchEvent(new CustomEvent("say", { detail: words.replace("{}", number) }));
}

// The page of a note leads back to where the note stands. So does the browser, also if the list is too long for one page.
function returnTo(link) {
  const list = link.closest("form").elements.next.value;
  const back = `${list}#${link.closest(".note").querySelector("[id^=note-]").id}`;
  const url = new URL(link.href);
  url.searchParams.set("next", back);
  link.href = url;
  if (list === location.pathname + location.search) return;
  history.replaceState(null, "", back);
  history.scrollRestoration = "manual";
}

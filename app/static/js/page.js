// Every page: acting once, closing messages, showing passwords, changing the theme, naming icons. All works without
// JavaScript too.
let pressedOn, clicked, sent; // by the last key, click and form that were let through
addEventListener("keydown", holdBack, true);
addEventListener("click", clickOnce, true);
addEventListener("submit", sendOnce, true);
document.addEventListener("click", (event) => {
  closeMessage(event);
  revealPassword(event);
  changeTheme(event);
});
document.addEventListener("pointerover", nameIcon);
document.addEventListener("submit", askBeforeSignOut);
document.addEventListener("submit", showBusy);
document.addEventListener("say", ({ detail }) => say(detail));
sayMessages();
addEventListener("pageshow", () => document.querySelectorAll("button[aria-busy]").forEach((button) => (button.ariaBusy = null)));
rememberTimeZone();
let shownOn = today();
document.addEventListener("inplace:shown", () => (shownOn = today()));
document.addEventListener("visibilitychange", followDay);
for (const name of ["focus", "pageshow"]) addEventListener(name, followDay);
for (const button of document.querySelectorAll("[data-reveal]")) button.hidden = false;

// A key that is held acts once, where it was pressed. Its repeats only write on in the field that they began in.
function holdBack(event) {
  const { key, repeat, target } = event;
  if (!repeat) pressedOn = target;
  const writesOn = target === pressedOn && (key !== "Enter" || target.matches("textarea"));
  if (repeat && !writesOn && /^(.|Enter)$/u.test(key)) stop(event);
}

// The second click of two comes to where the first has put another button. Not every browser counts taps.
function clickOnce(event) {
  if (!event.detail || !event.target.closest("button:not([type=button])")) return; // by a key
  const isNear = Math.hypot(event.x - clicked?.x, event.y - clicked?.y) < 20; // px
  if (event.detail > 1 || (event.pointerType === "touch" && isNear && isSoon(event, clicked))) return stop(event);
  clicked = event;
  sent = undefined;
}

// Enter and Enter again, also while the answer is under way.
function sendOnce(event) {
  const fields = String(new URLSearchParams(new FormData(event.target)));
  const isSame = sent?.submitter === event.submitter && sent.fields === fields;
  if (isSame && isSoon(event, sent, event.submitter?.ariaBusy ? 10e3 : undefined)) return stop(event);
  const { submitter, timeStamp } = event;
  sent = { submitter, timeStamp, fields };
}

function isSoon(event, last, milliseconds = 400) {
  return event.timeStamp - last.timeStamp < milliseconds;
}

function stop(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

// The button of a form that is under way to the server, until the next page comes.
function showBusy(event) {
  setTimeout(() => {
    const stays = event.defaultPrevented || event.submitter?.formTarget; // a preview opens beside
    if (!stays && event.submitter) event.submitter.ariaBusy = "true";
  });
}

// Screen readers tell what a live region gets, and not what stands on a page that comes. The next stop is Undo.
function sayMessages() {
  const messages = [...document.querySelectorAll("main .message[role=status]:not([hidden], #outbox)")];
  if (!messages.length) return;
  say(messages.map((message) => message.querySelector(".words")?.textContent.trim()).join(" "));
  if (document.activeElement !== document.body) return;
  const [message] = messages;
  message.tabIndex = -1;
  message.focus({ preventScroll: true });
  message.blur();
}

function say(words) {
  const region = document.getElementById("said");
  if (!region) return;
  region.textContent = "";
  setTimeout(() => (region.textContent = words), 100);
}

function closeMessage(event) {
  const link = event.target.closest("[data-close]");
  if (!link) return;
  event.preventDefault();
  link.closest(".message").remove();
  document.getElementById("main").focus({ preventScroll: true });
}

function revealPassword(event) {
  const button = event.target.closest("[data-reveal]");
  if (!button) return;
  const field = document.getElementById(button.dataset.reveal);
  field.type = field.type === "password" ? "text" : "password";
  button.setAttribute("aria-pressed", String(field.type === "text"));
}

// Without leaving the page: its forms may hold text that is not saved yet.
async function changeTheme(event) {
  const button = event.target.closest("button[name=theme]");
  if (!button) return;
  event.preventDefault();
  const root = document.documentElement;
  if (button.value === "auto") delete root.dataset.theme;
  else root.dataset.theme = button.value;
  for (const other of button.form.querySelectorAll("[name=theme]")) other.hidden = other === button;
  Object.assign(button.form, { tabIndex: -1 }).focus(); // not another button, which acts
  await fetch(button.form.action, {
    method: "POST",
    redirect: "manual",
    body: new URLSearchParams(new FormData(button.form, button)),
  }).catch(() => {}); // offline, the theme holds for this page only
}

// An icon of a row is pointed at: its name as a tooltip. Most are put together of words that stand on the page once.
function nameIcon(event) {
  const icon = event.target.closest(".icons > *, .icon-button");
  if (!icon || icon.title) return;
  const words = icon.getAttribute("aria-labelledby")?.split(" ").map((id) => document.getElementById(id).textContent);
  icon.title = words?.join(" ") ?? icon.ariaLabel ?? icon.textContent.trim();
}

// The server shows times in this zone, unless the account has another one.
function rememberTimeZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone || `${document.cookie};`.includes(`time_zone=${zone};`)) return;
  const secure = location.protocol === "https:" ? ";secure" : "";
  document.cookie = `time_zone=${zone};path=/;max-age=31536000;samesite=lax${secure}`;
}

// A page that says "today" means the day on which it is looked at, also when it was left open over midnight. It changes in
// its place (inplace.js) or is loaded anew, unless it has fields, so nothing typed is lost, or answered a form, which would be
// sent again.
function followDay() {
  if (document.hidden || !navigator.onLine || shownOn === today() || "posted" in document.body.dataset) return;
  const refresh = new CustomEvent("inplace:refresh", { detail: { url: location.href }, cancelable: true });
  const isTyped = document.querySelector("main :is(input:not([type=hidden]), textarea, select)");
  if (document.dispatchEvent(refresh) && !isTyped) location.reload();
}

// In the reader's zone, or in the browser's if it does not know that one.
function today() {
  const day = (timeZone) => new Date().toLocaleDateString("en", { timeZone });
  try { return day(document.body.dataset.zone); } catch { return day(); }
}

// Signing out deletes the drafts and the outbox, so that the next person at this browser does not see them. The server's
// answer does it (Clear-Site-Data): without a network nobody is signed out, and nothing is deleted.
function askBeforeSignOut(event) {
  if (!(event.submitter ?? event.target).closest("[data-sign-out]") || !navigator.onLine) return;
  try {
    const isUnsaved = Object.keys(localStorage).some((key) => /^(draft|outbox):/.test(key));
    if (isUnsaved && !confirm(document.getElementById("outbox").dataset.unsaved)) event.preventDefault();
  } catch { /* storage is blocked, so there is nothing */ }
}

// The outbox: what a form with data-outbox sends is kept in this browser until the server has it. Entries go one after the
// other in the order in which they were entered, also when the network was away or the page was closed meanwhile. An
// entry whose answer was lost is sent again, and the server stores it once (web/form_tokens.py).
//
// data-outbox="new": the fields are emptied at once, and the text waits in a list, see waiting.js.
// data-outbox="edit": the text stays in the form. A later edit takes the place of one that was not tried yet.
// data-outbox="row": buttons and editors of a list.
const { owner } = document.getElementById("outbox").dataset;
const PREFIX = `outbox:${owner}:`;
const TIMEOUT = 30e3; // ms
const [SHORTEST_PAUSE, LONGEST_PAUSE] = [2e3, 60e3]; // ms; doubled with each try
const TEXTS = "textarea, input:not([type=hidden], [type=checkbox], [type=date])";
const forms = new Map(); // of this page: the key of an entry, and the form that it was entered in
let sent = []; // entries of this page that its list does not show yet
let isStuck = false; // the last try did not reach the server
let isSignedOut = false;
let pause = SHORTEST_PAUSE;
let timer;
let turn = Promise.resolve();

document.addEventListener("submit", keep);
document.addEventListener("visibilitychange", () => document.hidden || flush());
for (const name of ["online", "pageshow"]) addEventListener(name, flush);
for (const name of ["offline", "storage"]) addEventListener(name, tell); // another window keeps or sends something
document.addEventListener("inplace:shown", () => { sent = []; tell(); });
document.addEventListener("inplace:missed", () => sent.length && wait()); // the list is asked for again
document.addEventListener("outbox:open", ({ detail }) => sendAsPage(detail));
workOffline().catch(() => {}); // service workers are blocked

// The first page, and one that was forced to reload, does not go through the service worker (sw.js): let it be kept too.
async function workOffline() {
  await navigator.serviceWorker?.register("/sw.js");
  if (!navigator.serviceWorker?.controller) (await navigator.serviceWorker?.ready)?.active.postMessage("keep");
}

function entries() {
  let keys = [];
  try { keys = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX)).sort(); } catch { /* storage is blocked */ }
  return keys.map((key) => ({ key, ...JSON.parse(localStorage.getItem(key)) }));
}

const store = ({ key, ...entry }) => localStorage.setItem(key, JSON.stringify(entry));

function tell(event, detail = { entries: entries(), sent, isStuck: isStuck || !navigator.onLine, isSignedOut }) {
  document.dispatchEvent(new CustomEvent("outbox:changed", { detail }));
}

function keep(event) {
  const form = event.target;
  const kind = form.closest("[data-outbox]")?.dataset.outbox;
  if (!kind || form.method !== "post" || event.submitter?.formTarget) return; // a preview opens beside
  const typed = [...form.querySelectorAll(TEXTS)];
  const text = typed.map(({ value }) => value.trim()).filter(Boolean).join("\n");
  if ("emptied" in form.dataset && holds(form)) return event.preventDefault(); // clicked twice
  if (typed.length && !text) return; // the server says it
  let entry;
  try {
    store((entry = newEntry(form, event.submitter, kind, text)));
  } catch {
    return; // storage is blocked or full, so the browser sends the form itself
  }
  event.preventDefault();
  forms.set(entry.key, form);
  document.dispatchEvent(new CustomEvent("outbox:kept", { detail: { form, submitter: event.submitter, text } }));
  if (kind === "new") empty(form, typed);
  flush();
}

function newEntry(form, submitter, kind, text) {
  const action = submitter?.getAttribute("formaction") ?? form.getAttribute("action");
  const fields = [...new FormData(form, submitter)].filter(([name]) => !["csrf_token", "form_token"].includes(name));
  const others = entries();
  const replaced = kind === "edit" && others.find((entry) => entry.action === action && !entry.isTried);
  if (replaced) localStorage.removeItem(replaced.key);
  const at = Math.max(Date.now(), 1 + Number(others.at(-1)?.key.split(":")[2] ?? 0)); // after what is there already
  const token = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  fields.push(["form_token", token]);
  return { key: `${PREFIX}${at}:${token}`, action, kind, text, page: location.pathname, search: location.search, fields };
}

function empty(form, fields) {
  form.reset();
  form.dataset.emptied = "";
  for (const field of fields) field.dispatchEvent(new Event("input", { bubbles: true }));
  fields[0].focus();
}

// One window at a time, and in a window one run at a time.
function flush() {
  clearTimeout(timer);
  tell();
  const run = () => (navigator.locks ? navigator.locks.request(PREFIX, sendAll) : sendAll());
  turn = turn.then(run, run);
}

async function sendAll() {
  for (let entry; (entry = entries().find(({ refused }) => refused === undefined)); ) if (!(await send(entry))) break;
  tell();
  const { search, location: next } = sent.at(-1) ?? {};
  const url = search === location.search ? next : location.href; // the reader has gone on, as to another editor
  if (next) document.dispatchEvent(new CustomEvent("inplace:refresh", { detail: { url } }));
}

// Whether it is dealt with. Else it has to wait, and all others behind it.
async function send(entry) {
  store({ ...entry, isTried: true });
  let answer = await post(entry);
  if (answer?.status === 400) answer = (await renewTokens()) ? await post(entry) : undefined;
  const said = await answer?.json().catch(() => {});
  if (answer) isSignedOut = answer.type === "opaqueredirect"; // else as renewTokens() found it
  const isAway = !answer || (answer.ok && !said) || answer.status >= 500 || [408, 425, 429].includes(answer.status);
  isStuck = isAway || isSignedOut;
  if (isStuck) return wait(Number(answer?.headers.get("Retry-After")) * 1e3);
  pause = SHORTEST_PAUSE;
  if (answer.ok) accept(entry, said);
  else refuse(entry, said?.detail ?? "");
  return true;
}

function post({ action, fields }) {
  return fetch(action, {
    method: "POST",
    headers: { Accept: "application/json" },
    redirect: "manual", // to the sign-in: the session has ended
    signal: AbortSignal.timeout(TIMEOUT),
    body: new URLSearchParams([...fields, ["csrf_token", csrfToken()]]),
  }).catch(() => {});
}

const csrfToken = () => document.querySelector("[name=csrf_token]").value;

// The tokens of this page belong to a session that has ended. If the same person has signed in again, it gets new ones. Else
// the entry waits: it must not come into the hands of whoever is signed in now.
async function renewTokens() {
  const answer = await fetch(location.href, { signal: AbortSignal.timeout(TIMEOUT) }).catch(() => {});
  const page = new DOMParser().parseFromString((await answer?.text().catch(() => {})) ?? "", "text/html");
  isSignedOut = !!answer && page.getElementById("outbox")?.dataset.owner !== owner;
  if (!answer || isSignedOut) return false;
  const { value } = page.querySelector("[name=csrf_token]");
  for (const field of document.querySelectorAll("[name=csrf_token]")) field.value = value;
  return true;
}

function wait(milliseconds) {
  if (!isSignedOut) timer = setTimeout(flush, milliseconds || pause);
  pause = Math.min(pause * 2, LONGEST_PAUSE);
  return false;
}

function accept(entry, said) {
  const form = forms.get(entry.key);
  localStorage.removeItem(entry.key);
  if (said.version) rebase(entry, String(said.version));
  document.dispatchEvent(new CustomEvent("outbox:sent", { detail: { form, said } }));
  if (entry.kind !== "edit" && entry.page === location.pathname) sent.push({ ...entry, location: said.location });
  tell();
  if (entry.kind !== "edit") return;
  if (form && holds(form, (name) => valueOf(entry, name))) location.assign(said.location);
  else if (!form && editors(entry).some((editor) => holds(editor) || holds(editor, (name) => valueOf(entry, name)))) location.reload();
}

function valueOf({ fields }, wanted) {
  return fields.find(([name]) => name === wanted)?.[1];
}

// Later edits started from the version that was just stored. Without this they would be in conflict with it.
function rebase(entry, to) {
  const from = valueOf(entry, "version");
  for (const later of entries().filter(({ action }) => action === entry.action)) {
    if (valueOf(later, "version") !== from) continue;
    store({ ...later, fields: later.fields.map(([name, value]) => [name, name === "version" ? to : value]) });
  }
  for (const { elements } of editors(entry)) if (elements.version.value === from) elements.version.value = to;
}

function editors({ action }) {
  return [...document.querySelectorAll("form[data-outbox=edit]")].filter((form) => form.getAttribute("action") === action);
}

function holds(form, textOf = (name) => form.elements[name].defaultValue) {
  return [...form.querySelectorAll(TEXTS)].every(({ name, value }) => value === textOf(name));
}

// The page of a refusal says why, and holds the text. It is shown unless something else was typed meanwhile.
function refuse(entry, refused) {
  const form = forms.get(entry.key);
  const isFree = form && (entry.kind !== "new" || holds(form));
  if (isFree) sendAsPage(entry);
  else store({ ...entry, refused });
}

function sendAsPage(entry) {
  localStorage.removeItem(entry.key);
  const form = Object.assign(document.createElement("form"), { method: "post", action: entry.action, hidden: true });
  for (const [name, value] of [...entry.fields, ["csrf_token", csrfToken()]]) {
    form.append(Object.assign(document.createElement("textarea"), { name, value })); // it keeps line breaks
  }
  document.body.append(form);
  form.submit();
}

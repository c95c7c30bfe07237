// What is typed into a form is kept in this browser until the server has it. The form says all: see drafts.html.
// A draft belongs to one account and one form, is offered and never put in by itself, and goes when the server says
// that it accepted the form (web/drafts.py), when it is discarded, after 30 days, or with signing out (page.js).
"use strict";
const DRAFT_PAUSE = 400; // ms without typing
const DRAFT_KEPT = 30 * 24 * 3600e3; // ms
const DRAFTS_OF_FORM = 3; // what was kept and not answered yet stands behind what is typed now

// Storage may be switched off or full. Nothing is kept then, and nothing says that it was.
function tryStorage(use, otherwise) {
  try { return use(); } catch { return otherwise; }
}
const draftStorage = {
  get: (key) => tryStorage(() => JSON.parse(localStorage.getItem(key)), null) ?? [],
  set: (key, drafts) => tryStorage(() => {
    if (drafts.length) localStorage.setItem(key, JSON.stringify(drafts));
    else localStorage.removeItem(key);
    return true;
  }, false),
  keys: () => tryStorage(() => Object.keys(localStorage), []).filter((key) => key.startsWith("draft:")),
};

for (const key of draftStorage.keys()) {
  draftStorage.set(key, draftStorage.get(key).filter((draft) => Date.now() - draft.at < DRAFT_KEPT));
}
dropAccepted();
for (const form of document.querySelectorAll("[data-draft]")) keepDraft(form);

// The server's word that it has a form. What was typed after it was sent, perhaps in another window, stays.
function dropAccepted() {
  const name = document.cookie.match(/(?:^|; )accepted=([^;]+)/)?.[1];
  if (!name) return;
  document.cookie = "accepted=;path=/;max-age=0";
  const sent = Number(tryStorage(() => sessionStorage.getItem(`sent:${name}`))) || Date.now();
  for (const key of draftStorage.keys().filter((key) => key.endsWith(`:${name}`))) {
    draftStorage.set(key, draftStorage.get(key).filter((draft) => draft.at > sent || draft.waiting));
  }
}

function keepDraft(form) {
  const { draft: name, owner, saved, justNow } = form.dataset;
  const key = `draft:${owner}:${name}`;
  const version = form.elements.version?.value;
  const offer = form.querySelector("[data-offer]");
  const state = form.querySelector("[data-draft-state]");
  const fields = [...form.elements].filter((field) => field.matches("textarea, input:not([type=hidden])"));
  const stored = "refused" in form.dataset ? null : JSON.stringify(values("defaultValue")); // on the server
  let waiting = draftStorage.get(key).filter((draft) => !isHere(draft)); // for an answer
  let pause, at;

  function values(property = "value") {
    return Object.fromEntries(fields.map((field) => [field.name, field[property]]));
  }
  function isHere(draft) {
    return JSON.stringify(draft.values) === JSON.stringify(values());
  }

  function keep() {
    pause = clearTimeout(pause);
    const mine = JSON.stringify(values()) === stored ? [] : [{ at: Date.now(), version, values: values() }];
    at = mine[0]?.at;
    const behind = waiting.map((draft) => ({ ...draft, waiting: true }));
    if (!draftStorage.set(key, [...mine, ...behind].slice(0, DRAFTS_OF_FORM))) at = undefined;
    tell();
  }

  function tell() {
    if (state) state.textContent = at ? `${saved} · ${ago(at)} ·` : "";
  }

  function ago(moment) {
    const minutes = Math.floor((Date.now() - moment) / 60e3);
    const [unit, length] = minutes < 60 ? ["minute", 1] : minutes < 1440 ? ["hour", 60] : ["day", 1440];
    const words = new Intl.RelativeTimeFormat(document.documentElement.lang);
    return minutes < 1 ? justNow : words.format(-Math.floor(minutes / length), unit);
  }

  function ask() {
    const [draft] = waiting;
    offer.hidden = !draft;
    if (!draft) return;
    offer.querySelector("[data-when]").textContent = `(${ago(draft.at)})`;
    offer.querySelector("[data-stale]").hidden = draft.version === version;
  }

  // What stands in the form changes places with the draft: if it is not stored, it is what is offered next.
  function restore() {
    const mine = { at: Date.now(), version, values: values() };
    const draft = waiting.shift();
    if (JSON.stringify(mine.values) !== stored) waiting.unshift(mine);
    for (const field of fields) {
      field.value = draft.values[field.name] ?? field.value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    answered();
  }

  function answered() {
    keep();
    ask();
    fields.at(-1).focus();
  }

  form.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(keep, DRAFT_PAUSE);
  });
  form.addEventListener("submit", () => {
    keep();
    tryStorage(() => sessionStorage.setItem(`sent:${name}`, at ?? Date.now()));
  });
  addEventListener("pagehide", () => { if (pause) keep(); });
  offer.querySelector("[data-restore]").addEventListener("click", restore);
  offer.querySelector("[data-discard]").addEventListener("click", () => { waiting.shift(); answered(); });
  setInterval(tell, 30e3);
  ask();
}

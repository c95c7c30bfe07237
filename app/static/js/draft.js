// Drafts: what is typed into a form is kept in this browser until the server has it. See templates/notes/_form.html.
// A draft belongs to one account and one form. It is offered, and never filled in by itself. It is deleted when the
// server says that it accepted the form (web/answers.py), when it is discarded, after 30 days, and at sign-out (page.js).
const TYPING_PAUSE = 400; // ms
const MAX_AGE = 30 * 24 * 3600e3; // ms
const MAX_DRAFTS = 3; // of one form: what is being typed, and drafts that were neither restored nor discarded yet

// Storage may be blocked or full. Then nothing is kept, and "Draft saved" is not shown.
function tryStorage(use, fallback) {
  try { return use(); } catch { return fallback; }
}
const storage = {
  get: (key) => tryStorage(() => JSON.parse(localStorage.getItem(key)), null) ?? [],
  set: (key, drafts) => tryStorage(() => {
    if (drafts.length) localStorage.setItem(key, JSON.stringify(drafts));
    else localStorage.removeItem(key);
    return true;
  }, false),
  keys: () => tryStorage(() => Object.keys(localStorage), []).filter((key) => key.startsWith("draft:")),
};

deleteOld();
deleteAccepted();
for (const form of document.querySelectorAll("[data-draft]")) keepDraft(form);

function deleteOld() {
  for (const key of storage.keys()) {
    storage.set(key, storage.get(key).filter((draft) => Date.now() - draft.at < MAX_AGE));
  }
}

// The server names the form that it accepted in a cookie. Text that was typed after the form was sent, perhaps in
// another window, stays.
function deleteAccepted() {
  const name = document.cookie.match(/(?:^|; )accepted=([^;]+)/)?.[1];
  if (!name) return;
  document.cookie = "accepted=;path=/;max-age=0";
  const sentAt = Number(tryStorage(() => sessionStorage.getItem(`sent:${name}`))) || Date.now();
  for (const key of storage.keys().filter((key) => key.endsWith(`:${name}`))) {
    storage.set(key, storage.get(key).filter((draft) => draft.at > sentAt || draft.waiting));
  }
}

function keepDraft(form) {
  const { draft: name, owner, saved, justNow } = form.dataset;
  const key = `draft:${owner}:${name}`;
  const version = form.elements.version?.value;
  const offer = form.querySelector("[data-offer]");
  const state = form.querySelector("[data-draft-state]");
  const fields = [...form.elements].filter((field) => field.matches("textarea, input:not([type=hidden])"));
  const onServer = "refused" in form.dataset ? null : JSON.stringify(values("defaultValue"));
  let waiting = storage.get(key).filter((draft) => !isInForm(draft)); // to be restored or discarded
  let pause, savedAt;

  function values(property = "value") {
    return Object.fromEntries(fields.map((field) => [field.name, field[property]]));
  }
  function isInForm(draft) {
    return JSON.stringify(draft.values) === JSON.stringify(values());
  }

  function save() {
    pause = clearTimeout(pause);
    const typed = JSON.stringify(values()) === onServer ? [] : [{ at: Date.now(), version, values: values() }];
    savedAt = typed[0]?.at;
    const behind = waiting.map((draft) => ({ ...draft, waiting: true }));
    if (!storage.set(key, [...typed, ...behind].slice(0, MAX_DRAFTS))) savedAt = undefined;
    showState();
  }

  function showState() {
    if (state) state.textContent = savedAt ? `${saved} · ${ago(savedAt)} ·` : "";
  }

  function ago(moment) {
    const minutes = Math.floor((Date.now() - moment) / 60e3);
    const [unit, length] = minutes < 60 ? ["minute", 1] : minutes < 1440 ? ["hour", 60] : ["day", 1440];
    const words = new Intl.RelativeTimeFormat(document.documentElement.lang);
    return minutes < 1 ? justNow : words.format(-Math.floor(minutes / length), unit);
  }

  function showOffer() {
    const [draft] = waiting;
    offer.hidden = !draft;
    if (!draft) return;
    offer.querySelector("[data-when]").textContent = `(${ago(draft.at)})`;
    const stale = offer.querySelector("[data-stale]");
    if (stale) stale.hidden = draft.version === version;
  }

  // The draft and the text in the form change places. Unless the server has that text, it is offered next.
  function restore() {
    const typed = { at: Date.now(), version, values: values() };
    const draft = waiting.shift();
    if (JSON.stringify(typed.values) !== onServer) waiting.unshift(typed);
    for (const field of fields) {
      field.value = draft.values[field.name] ?? field.value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    closeOffer();
  }

  function discard() {
    waiting.shift();
    closeOffer();
  }

  function closeOffer() {
    save();
    showOffer();
    fields.at(-1).focus();
  }

  form.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(save, TYPING_PAUSE);
  });
  form.addEventListener("submit", () => {
    save();
    tryStorage(() => sessionStorage.setItem(`sent:${name}`, savedAt ?? Date.now()));
  });
  addEventListener("pagehide", () => { if (pause) save(); });
  offer.querySelector("[data-restore]").addEventListener("click", restore);
  offer.querySelector("[data-discard]").addEventListener("click", discard);
  setInterval(showState, 30e3);
  if ("refused" in form.dataset && fields.some(({ value }) => value.trim())) save(); // it was sent, and is stored nowhere
  showOffer();
}

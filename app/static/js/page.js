// What every page gains by JavaScript; each works without it.
document.addEventListener("click", (event) => {
  closeMessage(event);
  revealPassword(event);
  chooseTheme(event);
});
document.addEventListener("submit", forgetDrafts);
rememberTimeZone();
for (const button of document.querySelectorAll("[data-reveal]")) button.hidden = false;

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

// At once and without leaving the page, whose text may not be saved yet.
async function chooseTheme(event) {
  const button = event.target.closest("button[name=theme]");
  if (!button) return;
  event.preventDefault();
  const root = document.documentElement;
  if (button.value === "auto") delete root.dataset.theme;
  else root.dataset.theme = button.value;
  for (const other of button.form.querySelectorAll("[name=theme]")) other.hidden = other === button;
  button.form.querySelector("[name=theme]:not([hidden])").focus();
  await fetch(button.form.action, {
    method: "POST",
    redirect: "manual",
    body: new URLSearchParams(new FormData(button.form, button)),
  }).catch(() => {}); // without a connection the choice holds for this page
}

// The server shows times in it, unless the account has chosen another.
function rememberTimeZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.includes(`time_zone=${zone}`)) {
    document.cookie = `time_zone=${zone};path=/;max-age=31536000;samesite=lax${location.protocol === "https:" ? ";secure" : ""}`;
  }
}

// Signing out leaves nothing of what was typed to the next person at this browser; js/draft.js keeps it there.
function forgetDrafts(event) {
  if (!event.target.action.endsWith("/sign-out")) return;
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith("draft:")) localStorage.removeItem(key);
  } catch { /* storage is switched off, so there are none */ }
}

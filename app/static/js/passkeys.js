// Passkeys (WebAuthn): a button with data-passkey gets a challenge from the site, has the browser answer it, and posts
// the answer with its form. Where the browser knows no passkeys, the button stays hidden.
if (window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
  for (const hint of document.querySelectorAll("[data-without-passkeys]")) hint.hidden = true;
  for (const button of document.querySelectorAll("[data-passkey]")) {
    button.hidden = false;
    button.addEventListener("click", usePasskey);
    if ("begins" in button.dataset) button.click(); // the password was asked for in between
  }
}

async function usePasskey(event) {
  event.preventDefault();
  const button = event.currentTarget;
  const status = document.getElementById(button.getAttribute("aria-describedby"));
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  status.textContent = "";
  try {
    const options = await challenge(button);
    const answer = options.detail ? null : await ask(button.dataset.passkey, options);
    if (answer) button.previousElementSibling.value = JSON.stringify(answer);
    if (options.status === 403) button.name = "begin"; // the answer asks who is there, and then the browser
    if (answer || button.name) button.form.requestSubmit(button); // posts to the button's formaction; no click is fired
    else status.textContent = options.detail ?? button.dataset.failed;
  } catch (error) {
    const { known, failed, offline } = button.dataset;
    status.textContent = { InvalidStateError: known, TypeError: offline, SyntaxError: offline }[error.name] ?? failed;
  }
  button.ariaBusy = "false";
}

// The site's question as JSON; of a refusal, its sentence as `detail`.
async function challenge(button) {
  const answer = await fetch(button.dataset.options, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new URLSearchParams({ csrf_token: button.form.elements.csrf_token.value }),
  });
  return answer.json();
}

function ask(kind, options) {
  if (kind === "create") {
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
  }
  return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
}

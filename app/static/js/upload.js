// The upload of the profile photo, with its progress and a way to cancel it. What is sent, photo.js decides (formdata).
const form = document.getElementById("photo-form");
const parts = Object.fromEntries([...form.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
let upload = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (upload) return;
  upload = new XMLHttpRequest();
  form.ariaBusy = "true";
  parts.error.textContent = parts.percent.textContent = parts.amount.textContent = "";
  parts.name.textContent = form.dataset.sending.replace("{name}", () => form.elements.photo.files[0].name);
  parts.sending.querySelector("progress").value = 0;
  parts.sending.hidden = parts.cancel.disabled = false;
  Object.assign(parts.sending, { tabIndex: -1 }).focus(); // Tab leads to the button that cancels
  send(upload, new FormData(form));
});

parts.cancel.addEventListener("click", () => {
  upload.abort();
  stop("");
});

function send(request, data) {
  request.upload.onprogress = showProgress;
  request.upload.onload = () => (parts.cancel.disabled = true); // the server has the photo
  request.onload = () => showAnswer(request);
  request.onerror = () => stop(form.dataset.failed);
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.send(data);
}

function showProgress({ loaded, total }) {
  const percent = Math.round((100 * loaded) / total);
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  parts.sending.querySelector("progress").value = percent;
  parts.percent.textContent = `${percent}%`;
  parts.amount.textContent = form.dataset.sent
    .replace("{sent}", megabytes(loaded))
    .replace("{total}", megabytes(total));
}

function showAnswer({ response, responseURL }) {
  if (response?.location) location.assign(response.location);
  else if (!response && responseURL !== form.action) location.assign(responseURL); // the session has ended
  else stop(response?.detail ?? form.dataset.failed);
}

function stop(sentence) {
  upload = null;
  form.ariaBusy = null;
  parts.sending.hidden = true;
  parts.error.textContent = sentence;
  Object.assign(form, { tabIndex: -1 }).focus();
}

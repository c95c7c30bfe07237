// A photo: chosen, dropped or pasted; placed under a round mask; made smaller here; sent with its progress.
const LONGEST = 2048; // px, of what is sent; what is shown has 400
const MARGIN = 16 / 240; // of the picture is seen around the square, dimmed
const photoForm = document.getElementById("photo-form");
const photoInput = photoForm.elements.photo;
const zoom = document.getElementById("zoom");
const parts = Object.fromEntries([...photoForm.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
const placed = { picture: null, opened: null, x: 0, y: 0, size: 0 }; // in px of the picture: a canvas, upright, on white
let sending = null;
photoForm.classList.add("live");

photoInput.addEventListener("change", openPhoto);
document.addEventListener("paste", (event) => {
  if (!event.target.closest?.("input:not([type=file], [type=range])")) take(event, event.clipboardData);
});
document.addEventListener("drop", (event) => take(event, event.dataTransfer));
document.addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());

function take(event, data) {
  if (sending || !data.files.length) return;
  event.preventDefault();
  const one = new DataTransfer();
  one.items.add(data.files[0]);
  photoInput.files = one.files;
  openPhoto();
}

function openPhoto() {
  placed.opened = readPhoto(photoInput.files[0]);
}

// What the browser cannot read is sent as it is: the server says what is wrong with it.
async function readPhoto(file) {
  const image = file && (await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null));
  if (file !== photoInput.files[0]) return; // another one was chosen meanwhile
  placed.picture = image && upright(image);
  parts.chosen.textContent = file?.name ?? "";
  parts.error.textContent = "";
  parts.current.hidden = !!image;
  parts.placing.hidden = parts.previews.hidden = !image;
  if (!image) return;
  const { width, height } = placed.picture;
  Object.assign(placed, { x: width / 2, y: height / 2, size: 0 });
  zoomTo(100);
}

function upright(image) {
  const scale = Math.min(1, LONGEST / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(image.width * scale);
  canvas.height = Math.round(image.height * scale);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  return canvas;
}

function place(x, y, size) {
  const { width, height } = placed.picture;
  const within = (value, most) => Math.round(Math.max(0, Math.min(value, most)));
  placed.size = within(size, Math.min(width, height));
  placed.x = within(x, width - placed.size);
  placed.y = within(y, height - placed.size);
  draw(parts.crop.querySelector("canvas"), MARGIN);
  for (const canvas of parts.previews.querySelectorAll("canvas")) draw(canvas, 0);
}

function draw(canvas, margin) {
  const around = placed.size * margin;
  const side = placed.size + 2 * around;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(placed.picture, placed.x - around, placed.y - around, side, side, 0, 0, canvas.width, canvas.height);
}

// Around the middle of the square.
function zoomTo(percent) {
  zoom.value = percent;
  zoom.ariaValueText = `${zoom.value} %`;
  const { picture, x, y, size } = placed;
  const side = Math.max(32, (Math.min(picture.width, picture.height) * 100) / zoom.value);
  place(x + (size - side) / 2, y + (size - side) / 2, side);
}

zoom.addEventListener("input", () => zoomTo(zoom.value));

parts.crop.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = placed.size / 40;
  const move = (right, down) => () => place(placed.x - right * step, placed.y - down * step, placed.size);
  const act = {
    ArrowLeft: move(-1, 0), ArrowRight: move(1, 0), ArrowUp: move(0, -1), ArrowDown: move(0, 1),
    "+": () => zoomTo(+zoom.value + 10), "=": () => zoomTo(+zoom.value + 10), "-": () => zoomTo(+zoom.value - 10),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

parts.crop.addEventListener("pointerdown", (event) => {
  const from = { ...placed, left: event.clientX, top: event.clientY };
  const scale = (placed.size * (1 + 2 * MARGIN)) / parts.crop.clientWidth;
  parts.crop.setPointerCapture(event.pointerId);
  parts.crop.onpointermove = ({ clientX, clientY }) =>
    place(from.x - (clientX - from.left) * scale, from.y - (clientY - from.top) * scale, from.size);
});
parts.crop.addEventListener("lostpointercapture", () => (parts.crop.onpointermove = null));

photoForm.addEventListener("submit", async (event) => {
  if (!photoInput.files.length) return; // the server says so
  event.preventDefault();
  if (sending) return;
  const request = (sending = new XMLHttpRequest());
  parts.error.textContent = parts.percent.textContent = parts.amount.textContent = "";
  parts.name.textContent = photoForm.dataset.sending.replace("{name}", () => photoInput.files[0].name);
  parts.sending.querySelector("progress").value = 0;
  parts.sending.hidden = parts.cancel.disabled = false;
  parts.cancel.focus();
  const data = await formData();
  if (sending === request) send(request, data);
});

parts.cancel.addEventListener("click", () => {
  sending.abort();
  giveUp("");
});

async function formData() {
  await placed.opened;
  const data = new FormData(photoForm);
  if (!placed.picture) return data;
  const jpeg = await new Promise((done) => placed.picture.toBlob(done, "image/jpeg", 0.9));
  data.set("photo", jpeg, "photo.jpg");
  for (const name of ["x", "y", "size"]) data.set(`crop_${name}`, placed[name]);
  return data;
}

function send(request, data) {
  request.upload.onprogress = showProgress;
  request.upload.onload = () => (parts.cancel.disabled = true); // too late: the server has it
  request.onload = () => answered(request);
  request.onerror = () => giveUp(photoForm.dataset.failed);
  request.open("POST", photoForm.action);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.send(data);
}

function showProgress({ loaded, total }) {
  const percent = Math.round((100 * loaded) / total);
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  parts.sending.querySelector("progress").value = percent;
  parts.percent.textContent = `${percent}%`;
  parts.amount.textContent = photoForm.dataset.sent
    .replace("{sent}", megabytes(loaded))
    .replace("{total}", megabytes(total));
}

function answered({ response, responseURL }) {
  if (response?.location) location.assign(response.location);
  else if (!response && responseURL !== photoForm.action) location.assign(responseURL); // signed out meanwhile
  else giveUp(response?.detail ?? photoForm.dataset.failed);
}

function giveUp(sentence) {
  sending = null;
  parts.sending.hidden = true;
  parts.error.textContent = sentence;
  photoForm.querySelector("button.primary").focus();
}

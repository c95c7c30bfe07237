// The profile photo: chosen, dropped or pasted; cropped under a round mask; shrunk; uploaded with its progress.
const LONGEST_SIDE = 2048; // px, of what is uploaded; the server makes 400 of it
const MARGIN = 16 / 240; // of the crop's side: seen around the crop, dimmed
const form = document.getElementById("photo-form");
const input = form.elements.photo;
const zoom = document.getElementById("zoom");
const parts = Object.fromEntries([...form.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
const crop = { picture: null, opened: null, x: 0, y: 0, size: 0 }; // in px of `picture`: a canvas, upright, on white
let upload = null;
form.classList.add("live");

input.addEventListener("change", openPhoto);
document.addEventListener("paste", (event) => {
  if (!event.target.closest?.("input:not([type=file], [type=range])")) takeFile(event, event.clipboardData);
});
document.addEventListener("drop", (event) => takeFile(event, event.dataTransfer));
document.addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());

function takeFile(event, data) {
  if (upload || !data.files.length) return;
  event.preventDefault();
  const transfer = new DataTransfer();
  transfer.items.add(data.files[0]);
  input.files = transfer.files;
  openPhoto();
}

function openPhoto() {
  crop.opened = readPhoto(input.files[0]);
}

// A file that the browser cannot read is uploaded as it is, and the server says what is wrong with it.
async function readPhoto(file) {
  const image = file && (await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null));
  if (file !== input.files[0]) return; // another file was chosen meanwhile
  crop.picture = image && upright(image);
  parts.chosen.textContent = file?.name ?? "";
  parts.error.textContent = "";
  parts.current.hidden = !!image;
  parts.placing.hidden = parts.previews.hidden = !image;
  if (!image) return;
  const { width, height } = crop.picture;
  Object.assign(crop, { x: width / 2, y: height / 2, size: 0 });
  zoomTo(100);
}

function upright(image) {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(image.width, image.height));
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

function cropTo(x, y, size) {
  const { width, height } = crop.picture;
  const clamp = (value, max) => Math.round(Math.max(0, Math.min(value, max)));
  crop.size = clamp(size, Math.min(width, height));
  crop.x = clamp(x, width - crop.size);
  crop.y = clamp(y, height - crop.size);
  draw(parts.crop.querySelector("canvas"), MARGIN);
  for (const canvas of parts.previews.querySelectorAll("canvas")) draw(canvas, 0);
}

function draw(canvas, margin) {
  const around = crop.size * margin;
  const side = crop.size + 2 * around;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(crop.picture, crop.x - around, crop.y - around, side, side, 0, 0, canvas.width, canvas.height);
}

// Keeps the middle of the crop.
function zoomTo(percent) {
  zoom.value = percent;
  zoom.ariaValueText = `${zoom.value} %`;
  const { picture, x, y, size } = crop;
  const side = Math.max(32, (Math.min(picture.width, picture.height) * 100) / zoom.value);
  cropTo(x + (size - side) / 2, y + (size - side) / 2, side);
}

zoom.addEventListener("input", () => zoomTo(zoom.value));

parts.crop.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = crop.size / 40;
  const move = (right, down) => () => cropTo(crop.x - right * step, crop.y - down * step, crop.size);
  const action = {
    ArrowLeft: move(-1, 0), ArrowRight: move(1, 0), ArrowUp: move(0, -1), ArrowDown: move(0, 1),
    "+": () => zoomTo(+zoom.value + 10), "=": () => zoomTo(+zoom.value + 10), "-": () => zoomTo(+zoom.value - 10),
  }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

parts.crop.addEventListener("pointerdown", (event) => {
  const from = { ...crop, left: event.clientX, top: event.clientY };
  const scale = (crop.size * (1 + 2 * MARGIN)) / parts.crop.clientWidth;
  parts.crop.setPointerCapture(event.pointerId);
  parts.crop.onpointermove = ({ clientX, clientY }) =>
    cropTo(from.x - (clientX - from.left) * scale, from.y - (clientY - from.top) * scale, from.size);
});
parts.crop.addEventListener("lostpointercapture", () => (parts.crop.onpointermove = null));

form.addEventListener("submit", async (event) => {
  if (!input.files.length) return; // the server answers with the error
  event.preventDefault();
  if (upload) return;
  const request = (upload = new XMLHttpRequest());
  parts.error.textContent = parts.percent.textContent = parts.amount.textContent = "";
  parts.name.textContent = form.dataset.sending.replace("{name}", () => input.files[0].name);
  parts.sending.querySelector("progress").value = 0;
  parts.sending.hidden = parts.cancel.disabled = false;
  parts.cancel.focus();
  const data = await formData();
  if (upload === request) send(request, data);
});

parts.cancel.addEventListener("click", () => {
  upload.abort();
  stop("");
});

async function formData() {
  await crop.opened;
  const data = new FormData(form);
  if (!crop.picture) return data;
  const jpeg = await new Promise((done) => crop.picture.toBlob(done, "image/jpeg", 0.9));
  data.set("photo", jpeg, "photo.jpg");
  for (const name of ["x", "y", "size"]) data.set(`crop_${name}`, crop[name]);
  return data;
}

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
  parts.sending.hidden = true;
  parts.error.textContent = sentence;
  form.querySelector("button.primary").focus();
}

// The profile photo: chosen, dropped or pasted; cropped under a round mask; shrunk. upload.js sends it.
const LONGEST_SIDE = 2048; // px, of what is uploaded; the server makes 400 of it
const CLOSEST = 3; // the zoom
const MARGIN = 16 / 240; // of the crop's side: seen around the crop, dimmed
const form = document.getElementById("photo-form");
const input = form.elements.photo;
const zoom = document.getElementById("zoom");
const parts = Object.fromEntries([...form.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
const crop = { picture: null, jpeg: null, x: 0, y: 0, size: 0 }; // in px of `picture`: a canvas, upright, on white
const fingers = new Map(); // on the crop, by the pointer's id: [x, y]
let gesture; // how the fingers and the crop were when the last finger came or went
form.classList.add("live");
input.accept += ",image/avif"; // the browser reads it, and the server gets a JPEG

input.addEventListener("change", readPhoto);
document.addEventListener("paste", (event) => {
  if (!event.target.closest?.("input:not([type=file], [type=range])")) takeFile(event, event.clipboardData);
});
document.addEventListener("drop", (event) => takeFile(event, event.dataTransfer));
document.addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());

function takeFile(event, data) {
  if (form.ariaBusy === "true" || !data.files.length) return;
  event.preventDefault();
  const transfer = new DataTransfer();
  transfer.items.add(data.files[0]);
  input.files = transfer.files;
  readPhoto();
}

// A file that the browser cannot read is uploaded as it is, and the server says what is wrong with it. Of the one that
// phones make it is known without.
async function readPhoto() {
  const file = input.files[0];
  form.classList.add("reading");
  const image = file && (await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null));
  const isUnread = file && !image && (await isHeif(file));
  const picture = image && upright(image);
  const jpeg = picture && (await new Promise((done) => picture.toBlob(done, "image/jpeg", 0.9)));
  if (file !== input.files[0]) return; // another file was chosen meanwhile
  Object.assign(crop, { picture, jpeg });
  if (isUnread) input.value = "";
  parts.chosen.textContent = isUnread ? "" : (file?.name ?? "");
  parts.error.textContent = isUnread ? form.dataset.heif : "";
  parts.current.hidden = !!image;
  parts.placing.hidden = !image;
  form.classList.toggle("placed", !!image);
  form.classList.remove("reading");
  if (!image) return;
  Object.assign(crop, { x: picture.width / 2, y: picture.height / 2, size: 0 });
  zoomTo(100);
}

// HEIC or AVIF, by the brand in the first box of the file (ISO/IEC 14496-12).
async function isHeif(file) {
  return /^.{4}ftyp(hei|hev|mif1|msf1|avi)/s.test(await file.slice(0, 16).text());
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
  for (const canvas of form.querySelectorAll(".previews canvas")) draw(canvas, 0);
  zoom.value = (100 * widest()) / crop.size;
  zoom.ariaValueText = `${zoom.value} %`;
}

function draw(canvas, margin) {
  const around = crop.size * margin;
  const side = crop.size + 2 * around;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(crop.picture, crop.x - around, crop.y - around, side, side, 0, 0, canvas.width, canvas.height);
}

function widest() {
  return Math.min(crop.picture.width, crop.picture.height);
}

function within(size) {
  return Math.max(32, widest() / CLOSEST, Math.min(size, widest()));
}

// Keeps the middle of the crop.
function zoomTo(percent) {
  const { x, y, size } = crop;
  const side = within((widest() * 100) / percent);
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

// One finger moves the photo, two zoom it (pinch). What is under the middle of the fingers stays under it.
parts.crop.addEventListener("pointerdown", (event) => {
  parts.crop.setPointerCapture(event.pointerId);
  touch(event);
  gesture = grip();
});
parts.crop.addEventListener("pointermove", (event) => {
  if (!fingers.has(event.pointerId)) return;
  touch(event);
  const now = grip();
  const size = within((gesture.size * gesture.distance) / now.distance);
  const [from, to] = [gesture.size, size].map((side) => (side * (1 + 2 * MARGIN)) / parts.crop.clientWidth);
  const place = (start, before, after) => start + before * from - after * to + (size - gesture.size) * MARGIN;
  cropTo(place(gesture.x, gesture.left, now.left), place(gesture.y, gesture.top, now.top), size);
});
parts.crop.addEventListener("lostpointercapture", (event) => {
  fingers.delete(event.pointerId);
  gesture = grip();
});

function touch({ pointerId, clientX, clientY }) {
  const { left, top } = parts.crop.getBoundingClientRect();
  fingers.set(pointerId, [clientX - left, clientY - top]);
}

// The crop, and the middle and the distance of the first two fingers, in CSS px.
function grip() {
  const [one, other] = [...fingers.values()];
  const [[x, y], [u, v]] = [one ?? [0, 0], other ?? one ?? [0, 0]];
  return { ...crop, left: (x + u) / 2, top: (y + v) / 2, distance: Math.hypot(x - u, y - v) || 1 };
}

form.addEventListener("formdata", ({ formData }) => {
  if (!crop.picture) return;
  formData.set("photo", crop.jpeg, "photo.jpg");
  for (const name of ["x", "y", "size"]) formData.set(`crop_${name}`, crop[name]);
});

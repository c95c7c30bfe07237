// "34 / 2,000" below a text: see character_counter in templates/notes/_form.html. It counts as the server does: code points
// in NFC, and a line break as one.
for (const counter of document.querySelectorAll("[data-count]")) countCharacters(counter);

function countCharacters(counter) {
  const { count, limit, from, words, over } = counter.dataset;
  const field = document.getElementById(count);
  const number = new Intl.NumberFormat(document.documentElement.lang);
  const refused = field.getAttribute("aria-invalid") === "true"; // by the server, whose error stays until the next save
  const announcer = document.createElement("span"); // for screen readers: near the limit, after a pause in typing
  announcer.className = "visually-hidden";
  announcer.setAttribute("aria-live", "polite");
  counter.after(announcer);
  let pause;

  function show() {
    const length = [...field.value.normalize("NFC").replace(/\r\n?/g, "\n")].length;
    const excess = length - limit;
    counter.textContent = words.replace("{}", number.format(length));
    if (excess > 0) counter.textContent += ` · ${over.replace("{}", number.format(excess))}`;
    counter.classList.toggle("too-long", excess > 0);
    counter.hidden = length < from;
    if (!refused) field.setAttribute("aria-invalid", String(excess > 0));
    clearTimeout(pause);
    pause = setTimeout(() => { announcer.textContent = excess > -limit / 20 ? counter.textContent : ""; }, 800);
  }

  field.setAttribute("aria-describedby", `${field.getAttribute("aria-describedby") ?? ""} ${counter.id}`.trim());
  field.addEventListener("input", show);
  show();
}

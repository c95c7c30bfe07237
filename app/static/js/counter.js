// "34 / 2,000" below a text, counted as the server counts: code points in NFC, a line break as one. See drafts.html.
"use strict";
for (const counter of document.querySelectorAll("[data-count]")) new TextCounter(counter);

function TextCounter(counter) {
  const { count, limit, from, words, over } = counter.dataset;
  const field = document.getElementById(count);
  const number = new Intl.NumberFormat(document.documentElement.lang);
  const refused = field.getAttribute("aria-invalid") === "true"; // stays, with what the server said, until it is sent
  const voice = document.createElement("span"); // says it near the limit, when the typing rests; not at every letter
  voice.className = "unseen";
  voice.setAttribute("aria-live", "polite");
  counter.after(voice);
  let rest;

  function show() {
    const length = [...field.value.normalize("NFC").replace(/\r\n?/g, "\n")].length;
    const excess = length - limit;
    counter.textContent = words.replace("{}", number.format(length));
    if (excess > 0) counter.textContent += ` · ${over.replace("{}", number.format(excess))}`;
    counter.classList.toggle("too-long", excess > 0);
    counter.hidden = length < from;
    if (!refused) field.setAttribute("aria-invalid", String(excess > 0));
    clearTimeout(rest);
    rest = setTimeout(() => { voice.textContent = excess > -limit / 20 ? counter.textContent : ""; }, 800);
  }

  field.setAttribute("aria-describedby", `${field.getAttribute("aria-describedby") ?? ""} ${counter.id}`.trim());
  field.addEventListener("input", show);
  show();
}

// The button that copies a link, a token or codes. It is hidden where the page has no clipboard; what is selected can be
// copied by hand.
const button = document.querySelector("[data-copy]");
button.hidden = !navigator.clipboard;
button.addEventListener("click", async () => {
  const copied = document.getElementById(button.dataset.copy);
  getSelection().selectAllChildren(copied);
  copied.select?.();
  try {
    await navigator.clipboard.writeText(copied.value ?? copied.innerText);
  } catch {
    return; // refused
  }
  button.textContent = button.nextElementSibling.textContent = button.dataset.done;
});

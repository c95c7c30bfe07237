// The button that copies a link. It is hidden where the page has no clipboard; the field can be copied from anyway.
const button = document.querySelector("[data-copy]");
button.hidden = !navigator.clipboard;
button.addEventListener("click", async () => {
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    return; // refused; what is selected can be copied by hand
  }
  button.textContent = button.dataset.done;
  button.form.querySelector("[role=status]").textContent = button.dataset.done;
});

// Todos are dragged by a grip to another place of the list. The grip is made here, since without scripts it does nothing; the
// arrows of each row do the same, one place at a time.
const ROWS = ".ordered > li";
for (const name of ["outbox:changed", "inplace:shown"]) document.addEventListener(name, addGrips);
document.addEventListener("pointerdown", take);
addGrips();

function addGrips() {
  for (const form of document.querySelectorAll(`${ROWS} > form:not(.editor, :has(.grip))`)) {
    const grip = Object.assign(document.createElement("span"), { className: "grip" });
    grip.ariaHidden = "true";
    form.prepend(grip);
  }
}

function take(event) {
  const grip = event.target.closest(".grip");
  if (!grip || event.button) return;
  event.preventDefault();
  const row = grip.closest("li");
  const rows = [...row.parentElement.children];
  const place = row.getBoundingClientRect();
  let onto = row;
  grip.setPointerCapture(event.pointerId);
  row.classList.add("dragged");

  // Its translation is set by script, which the content security policy allows; a style attribute it would not.
  grip.onpointermove = ({ clientY }) => {
    row.style.translate = `0 ${clientY - event.clientY}px`;
    onto = rows.find((other) => other !== row && isAt(other, clientY)) ?? (isAt(place, clientY) ? row : onto);
  };
  grip.onpointerup = () => {
    stop();
    if (onto !== row) send(row, onto);
  };
  grip.onpointercancel = stop;

  function stop() {
    row.classList.remove("dragged");
    row.style.translate = "";
    grip.onpointermove = grip.onpointerup = grip.onpointercancel = null;
  }
}

function isAt(box, y) {
  const { top, bottom } = box instanceof Element ? box.getBoundingClientRect() : box;
  return y >= top && y <= bottom;
}

// The list shows it at once; the server's list follows, see outbox.js.
function send(row, onto) {
  const form = row.querySelector("form");
  const button = Object.assign(document.createElement("button"), { name: "onto", value: onto.id.replace("todo-", ""), hidden: true });
  button.formAction = row.querySelector("[name=direction]").formAction;
  form.append(button);
  const rows = [...row.parentElement.children];
  if (rows.indexOf(onto) < rows.indexOf(row)) onto.before(row);
  else onto.after(row);
  form.requestSubmit(button);
  button.remove();
}

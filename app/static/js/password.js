// How strong a new password looks while it is typed. What may not be used is the server's to say, which has the lists.
const ROWS = "1234567890 qwertyuiop asdfghjkl zxcvbnm";
const ENOUGH = [45, 65, 85]; // bits, from which on a password looks fair, good and strong

for (const meter of document.querySelectorAll("[data-strength]")) {
  const field = document.getElementById(meter.dataset.strength);
  field.addEventListener("input", () => showStrength(meter, field));
}

function showStrength(meter, field) {
  const words = meter.querySelector("[role=status]");
  const level = strengthOf(field.value, field.minLength);
  meter.hidden = !field.value;
  words.textContent = field.value ? words.dataset.words.split("|")[level] : "";
  meter.querySelectorAll("rect").forEach((bar, place) => bar.classList.toggle("on", place <= level));
}

// 0 to 3: letters count by the alphabet they are of, unless they go on from, or repeat, what is before them.
function strengthOf(password, least) {
  const letters = [...password];
  if (letters.length < least) return 0;
  let alphabet = 1;
  if (/[a-z]/.test(password)) alphabet += 26;
  if (/[A-Z]/.test(password)) alphabet += 26;
  if (/\d/.test(password)) alphabet += 10;
  if (/[ -/:-@[-`{-~]/.test(password)) alphabet += 33;
  if (/[^ -~]/.test(password)) alphabet += 400; // of Hangul, the syllables that people use
  const counted = letters.filter((letter, place) => !goesOn(letters, place)).length;
  const bits = counted * Math.log2(alphabet);
  return ENOUGH.filter((limit) => bits >= limit).length;
}

function goesOn(letters, place) {
  const [before, letter] = [letters[place - 1], letters[place]].map((each) => each?.toLowerCase());
  if (!before) return false;
  return (
    Math.abs(letter.codePointAt(0) - before.codePointAt(0)) <= 1 ||
    ROWS.includes(before + letter) ||
    ROWS.includes(letter + before) ||
    letters.slice(0, place - 1).join("").toLowerCase().includes(before + letter)
  );
}

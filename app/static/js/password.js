// The strength of a new password while it is typed: an estimate. Only the server has the list of common passwords. So what
// it would refuse is weak here too: a word with decoration, a repetition, a name that is typed in the same form.
const KEYBOARD_ROWS = "1234567890 qwertyuiop asdfghjkl zxcvbnm";
const FAIR_GOOD_STRONG = [45, 65, 85]; // bits, from which on a password has this strength

for (const meter of document.querySelectorAll("[data-strength]")) {
  const field = document.getElementById(meter.dataset.strength);
  field.addEventListener("input", () => showStrength(meter, field));
}

function showStrength(meter, field) {
  const words = meter.querySelector("[role=status]");
  const level = strengthOf(field.value, field.minLength);
  meter.hidden = !field.value;
  words.textContent = field.value ? words.dataset.words.split("|")[level] : "";
  meter.querySelectorAll("rect").forEach((bar, index) => bar.classList.toggle("on", index <= level));
}

// 0 (weak) to 3 (strong). The entropy of the alphabet, times the letters that are not part of a sequence or repetition.
function strengthOf(password, minLength) {
  const letters = [...password];
  if (letters.length < minLength || isDecoratedWord(password) || isRepeated(password)) return 0;
  let alphabet = 1;
  if (/[a-z]/.test(password)) alphabet += 26;
  if (/[A-Z]/.test(password)) alphabet += 26;
  if (/\d/.test(password)) alphabet += 10;
  if (/[ -/:-@[-`{-~]/.test(password)) alphabet += 33;
  if (/[^ -~]/.test(password)) alphabet += 400; // Hangul: about as many syllables are in common use
  const counted = letters.filter((letter, index) => !isPredictable(letters, index)).length;
  const bits = counted * Math.log2(alphabet);
  return FAIR_GOOD_STRONG.filter((limit) => bits >= limit).length;
}

// One word, or one name, between digits and signs: Password123!, or p@ssw0rd with the usual signs for letters.
function isDecoratedWord(password) {
  let words = password.toLowerCase();
  for (const field of document.querySelectorAll("[name=nickname], [name=email]")) {
    for (const name of [field.value, field.value.split("@")[0]]) {
      if (name.length > 1) words = words.replaceAll(name.toLowerCase(), "");
    }
  }
  return /^[\p{L}@0$!1345]{0,11}[^\p{L}]*$/u.test(words.replace("semicircle", "").replace("세미서클", ""));
}

// A pattern of up to four letters again and again, or only two different letters.
function isRepeated(password) {
  const text = password.toLowerCase();
  return new Set(text).size <= 2 || /^(.{1,4})\1+/u.exec(text)?.[0].length > text.length - 4;
}

// Whether a letter continues a sequence ("abc", "qwe"), or ends a pair that occurred before.
function isPredictable(letters, index) {
  const [before, letter] = [letters[index - 1], letters[index]].map((each) => each?.toLowerCase());
  if (!before) return false;
  return (
    Math.abs(letter.codePointAt(0) - before.codePointAt(0)) <= 1 ||
    KEYBOARD_ROWS.includes(before + letter) ||
    KEYBOARD_ROWS.includes(letter + before) ||
    letters.slice(0, index - 1).join("").toLowerCase().includes(before + letter)
  );
}

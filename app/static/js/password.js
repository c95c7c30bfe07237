// The strength of a new password while it is typed: an estimate. Only the server has the list of common passwords. What
// it would refuse without the list is weak here too, by the same rules (app/accounts/password_policy.py).
const SEQUENCES = [
  "1234567890-=", "0123456789", "qwertyuiop[]\\", "asdfghjkl;'", "zxcvbnm,./", "qwertyuiopasdfghjklzxcvbnm",
  "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "qazwsxedcrfvtgbyhnujmik,ol.p;/", "qawsedrftgyhujikolp",
  "zaq1xsw2cde3vfr4bgt5nhy6mju7", "zaqxswcdevfrbgtnhymju", "1qazxsw23edcvfr45tgbnhy6",
  "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0", "qpwoeiruty", "147258369", "741852963", "789456123", "02468", "13579",
  "abcdefghijklmnopqrstuvwxyz", "a1b2c3d4e5f6g7h8i9j0", "1a2b3c4d5e6f7g8h9i0j",
  "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ", "ㅁㄴㅇㄹㅎㅗㅓㅏㅣ", "ㅋㅌㅊㅍㅠㅜㅡ",
  "가나다라마바사아자차카타파하", "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ", "ㅏㅑㅓㅕㅗㅛㅜㅠㅡㅣ",
];
const RUNS = SEQUENCES.flatMap((row) => [row.repeat(2), reversed(row).repeat(2)]);
const ROWS = SEQUENCES.slice(0, 5);
const CONTEXT = ["semicircle", "세미서클", "notes", "notebook", "노트"];
// A telephone number of Korea, or dates.
const NUMBER = /^\p{L}{0,3}((82|0)[1-9]\d{7,9}|(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d{0,8})\p{L}{0,3}$/u;
// The keys of a syllable's three letters on a Korean keyboard: 세미서클 is tpaltjzmf.
const KEYS = [
  "r r s e e f a q q t t d w w c z x v g", "k o i o j p u p h hk ho hl y n nj np nl b m ml l",
  " r r rt s sw sg e f fr fa fq ft fx fv fg a q qt t t d w c z x v g",
].map((keys) => keys.split(" "));
const SHIFTED = '!@#$%^&*()_+{}|:"<>?~';
const UNSHIFTED = "1234567890-=[]\\;',./`";
const FAIR_GOOD_STRONG = [45, 65, 85]; // bits, from which on a password has this strength
const GOOD = 2;

for (const meter of document.querySelectorAll("[data-strength]")) {
  const field = document.getElementById(meter.dataset.strength);
  field.addEventListener("input", () => showStrength(meter, field));
  field.form.onsubmit = () => field.reportValidity(); // the page of a refused form comes without it
}

function showStrength(meter, field) {
  const words = meter.querySelector("[role=status]");
  const level = strengthOf(field.value, field.minLength);
  meter.hidden = !field.value;
  words.textContent = field.value ? words.dataset.words.split("|")[level] : "";
  meter.querySelectorAll("rect").forEach((bar, index) => bar.classList.toggle("on", index <= level));
  if (level >= GOOD) removeError(field);
}

// What the server said was about another password.
function removeError(field) {
  document.getElementById(`${field.id}-error`)?.remove();
  field.removeAttribute("aria-invalid");
  document.querySelectorAll(`.wrong a[href="#${field.id}"]`).forEach((link) => link.closest("li").remove());
  document.querySelector(".wrong ul:not(:has(li))")?.parentElement.remove();
}

// 0 (weak) to 3 (strong). The entropy of the alphabet, times the letters that are not part of a sequence or repetition.
function strengthOf(password, minLength) {
  const letters = [...password];
  const text = folded(password);
  const isGuessable = [isDecoratedWord, isRepeated, isSequence, isName].some((rule) => rule(text));
  if (letters.length < minLength || isGuessable || NUMBER.test(compact(text))) return 0;
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

// One word between digits and signs: 2026 Password!, or p@ssw0rd with the usual signs for letters. A short one may have
// separators in it: pass-word.
function isDecoratedWord(text) {
  const isWord = /\p{L}/u.test(text) && /^\P{L}*[\p{L}@0$!1345]{0,11}\P{L}*$/u.test(text);
  return isWord || /^\d*[a-z]{4,9}\d*$/.test(compact(text));
}

// One thing again and again, or hardly more than runs of one letter.
function isRepeated(text) {
  const word = text.replace(/^\P{L}+|\P{L}+$/gu, "");
  const texts = [text, compact(text), lettersOf(word).length >= 4 ? compact(word) : text];
  const isRuns = (each) => collapsed(each).length < 8 && collapsed(each).length * 2 <= each.length;
  const repeats = (each) => repeatsUnit(each) || repeatsUnit(reversed(each)) || isRuns(each);
  return new Set(text).size <= 2 || texts.some(repeats);
}

function repeatsUnit(text) {
  for (let size = 1; size <= text.length / 2; size += 1) {
    let covered = size;
    while (covered < text.length && text[covered] === text[covered - size]) covered += 1;
    if (covered >= 2 * size && covered * 4 >= text.length * 3) return true;
  }
  return false;
}

// Runs over a keyboard, with Shift or without, and hardly anything else.
function isSequence(text) {
  const keys = [...text].map((key) => UNSHIFTED[SHIFTED.indexOf(key)] ?? key).join("");
  return [keys, compact(text), collapsed(keys)].some((each) => {
    let [things, inRuns] = [0, 0];
    for (let start = 0, end; start < each.length; start = end, things += 1) {
      end = start + 1;
      while (end < each.length && RUNS.some((run) => run.includes(each.slice(start, end + 1)))) end += 1;
      if (end - start >= 3) inRuns += end - start;
      else end = start + 1;
    }
    return inRuns >= 6 && things <= 4;
  });
}

// Names that others know, and hardly anything else.
function isName(text) {
  const typed = [...document.querySelectorAll("[name=nickname], [name=email], [autocomplete=username]")];
  const spelled = [...CONTEXT, ...typed.map((field) => folded(field.value))].flatMap(spellings);
  const names = spelled.filter((name) => name.length > 1).sort((one, other) => other.length - one.length);
  return [/[^\p{L}\p{N}]+/gu, /[^\p{L}\p{N}@$!]+/gu].some((separators) => {
    const whole = text.replace(separators, "");
    let left = whole;
    for (const name of names) {
      for (let at; (at = looks(left).indexOf(looks(name))) >= 0; ) {
        left = left.slice(0, at) + left.slice(at + name.length);
      }
    }
    return left !== whole && lettersOf(left).length < 4;
  });
}

function spellings(name) {
  const [local, domain = ""] = name.split("@");
  const words = `${local} ${domain.replace(/\.?[^.]*$/, "")}`.match(/[가-힣]{2,}|\p{L}{3,}/gu) ?? [];
  const wholes = [name, local].map((part) => part.replace(/[^\p{L}\p{N}]+/gu, ""));
  return [...wholes, lettersOf(local), ...words].flatMap((part) => [part, reversed(part), onLatinKeyboard(part)]);
}

function folded(text) {
  return text.replace(/[！-～]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0)).toLowerCase();
}

function compact(text) {
  const letters = text.replace(/[^\p{L}\p{N}]+/gu, "");
  return letters.length * 2 > text.length ? letters : text;
}

function collapsed(text) {
  return text.replace(/(.)\1+/gsu, "$1");
}

function reversed(text) {
  return [...text].reverse().join("");
}

function lettersOf(text) {
  return text.replace(/\P{L}+/gu, "");
}

// Of the same length; what looks alike is equal.
function looks(text) {
  return text.replace(/[@4031!l5$7]/g, (sign) => "aaoeiiisst"["@4031!l5$7".indexOf(sign)]);
}

function onLatinKeyboard(text) {
  return text.replace(/[가-힣]/g, (syllable) => {
    const index = syllable.charCodeAt(0) - 0xac00;
    return KEYS[0][Math.floor(index / 588)] + KEYS[1][Math.floor((index % 588) / 28)] + KEYS[2][index % 28];
  });
}

// Whether a letter continues a sequence ("abc", "qwe"), or ends a pair that occurred before.
function isPredictable(letters, index) {
  const [before, letter] = [letters[index - 1], letters[index]].map((each) => each?.toLowerCase());
  if (!before) return false;
  return (
    Math.abs(letter.codePointAt(0) - before.codePointAt(0)) <= 1 ||
    ROWS.some((row) => row.includes(before + letter) || row.includes(letter + before)) ||
    letters.slice(0, index - 1).join("").toLowerCase().includes(before + letter)
  );
}

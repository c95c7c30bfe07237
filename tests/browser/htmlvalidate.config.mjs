// What is turned off is a matter of taste, or true of these pages for a reason.
export default {
  root: true,
  extends: ["html-validate:recommended", "html-validate:a11y"],
  // The HTML Living Standard does not count <details> among sectioning content, so that a <th> may hold one.
  elements: ["html5", { details: { sectioning: false } }],
  rules: {
    "doctype-style": "off",
    "no-implicit-button-type": "off", // the buttons of a page that works without scripts submit, which is the default
    "no-implicit-input-type": "off", // the default is text
    "no-trailing-whitespace": "off", // also in what people wrote, where it stays
    "long-title": "off", // a note or a page of the web is called what it is called
    "form-dup-name": ["error", { shared: ["radio", "button", "reset", "submit", "checkbox"] }], // boxes of one question
    "meta-refresh": "off", // without scripts, a page that waits can look again in no other way
  },
};

// An unfinished count is asked for until it has finished, which loads the page anew. 204: nothing has changed, so a screen
// reader, which reads the sentence when it changes, says nothing.
const EVERY = 2000; // milliseconds
const progress = document.getElementById("progress");

async function ask() {
  const answer = await fetch(progress.dataset.poll, { cache: "no-store" }).catch(() => {});
  const html = answer?.status === 200 || answer?.status === 404 ? await answer.text().catch(() => {}) : undefined;
  if (html !== undefined) {
    const now = new DOMParser().parseFromString(html, "text/html").getElementById("progress");
    if (!now) return location.reload();
    progress.textContent = now.textContent;
    progress.dataset.poll = now.dataset.poll;
  }
  setTimeout(ask, EVERY);
}

setTimeout(ask, EVERY);

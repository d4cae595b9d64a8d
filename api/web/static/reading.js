// A page of a document: brings the marked words into view, turns pages with the arrow keys, and
// says so where the picture can't be shown.

const sheet = document.querySelector("[data-sheet]");

/** Scroll within the picture's own frame alone, so that the reader's place on the page stays. */
function showMark() {
  const mark = sheet.querySelector(".marks rect");
  if (!mark || sheet.scrollHeight <= sheet.clientHeight) return;
  const frame = sheet.getBoundingClientRect();
  const place = mark.getBoundingClientRect();
  sheet.scrollTop += place.top - frame.top - frame.height / 3;
}

/** Take the picture away with its marks, which would stand on nothing. */
function fail() {
  sheet.hidden = true;
  document.querySelector("[data-enlarge]").hidden = true;
  document.querySelector("[data-failed]").hidden = false;
}

if (sheet) {
  const picture = sheet.querySelector("img");
  picture.addEventListener("error", fail);
  if (picture.complete && !picture.naturalWidth) fail();
  else showMark();
  if (sheet.scrollHeight > sheet.clientHeight) sheet.tabIndex = 0; // to scroll it without a mouse
}

addEventListener("keydown", (event) => {
  const turns = { ArrowLeft: "prev", ArrowRight: "next" };
  const plain = !(event.altKey || event.ctrlKey || event.metaKey || event.shiftKey);
  // Where something has the focus, the arrows are its own.
  const free = document.activeElement === document.body || document.activeElement.id === "contenu";
  if (!plain || !free || !(event.key in turns)) return;
  document.querySelector(`a[rel=${turns[event.key]}]`)?.click();
});

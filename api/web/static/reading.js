// A page of a document: brings the marked words into view, turns pages with the arrow keys, stays
// where a page is asked for that is not there, and says so where the picture can't be shown.

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

/** Put what is wrong with the page that was asked for beside its field. */
function refuse(form, fault) {
  const field = form.elements.page;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", fault.id);
  document.getElementById(fault.id)?.remove();
  form.after(document.adoptNode(fault));
  field.focus();
  field.select();
}

/** Go to another page if there is one; else the reader stays on this one and is told. */
async function goTo(form) {
  const address = new URL(form.getAttribute("action"), location.href);
  address.search = new URLSearchParams(new FormData(form));
  try {
    const response = await fetch(address, { headers: { Accept: "text/html" }, redirect: "manual" });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fault = response.status === 404 && page.getElementById("go-to-error");
    if (fault) return refuse(form, fault);
  } catch {
    // The browser itself says that nobody answers.
  }
  location.assign(address);
}

const other = document.querySelector(".turning .go-to");
other?.addEventListener("submit", (event) => {
  event.preventDefault();
  event.stopPropagation(); // it is not yet known whether this page is left
  goTo(other);
});

const keys = document.querySelector("[data-keys]");
if (keys) keys.hidden = false;

addEventListener("keydown", (event) => {
  const turns = { ArrowLeft: "prev", ArrowRight: "next" };
  const plain = !(event.altKey || event.ctrlKey || event.metaKey || event.shiftKey);
  // Where something has the focus, the arrows are its own.
  const free = document.activeElement === document.body || document.activeElement.id === "contenu";
  if (!plain || !free || !(event.key in turns)) return;
  document.querySelector(`a[rel=${turns[event.key]}]`)?.click();
});

// What every page gains where scripts run; without them everything works, by whole pages.

const status = document.getElementById("status");
const whole = () => location.pathname + location.search;
let shown = whole(); // the address of what stands on the page

/** Say something to who hears the page instead of seeing it. */
export function say(text) {
  status.textContent = "";
  requestAnimationFrame(() => { status.textContent = text; });
}

/** Put the part of a page at an address in the place of the one here: `data-part` names both. */
async function replacePart(form, address) {
  const part = document.querySelector(form.dataset.part);
  part.classList.add("busy");
  part.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(address, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector(form.dataset.part);
    if (!response.ok || !fresh) throw new Error(String(response.status));
    const focused = document.activeElement?.id;
    part.replaceWith(document.adoptNode(fresh));
    document.title = page.title;
    history.pushState(null, "", address);
    shown = whole();
    if (focused) document.getElementById(focused)?.focus();
    const told = document.querySelector("[data-told]");
    if (told) say(told.textContent.trim());
  } catch (error) {
    if (error instanceof TypeError) offline(part); // nobody answered
    else location.assign(address); // the page itself says what is wrong
  }
}

/** Say where the reader looks that the service does not answer; what stands there stays. */
export function offline(part) {
  part.classList.remove("busy");
  part.removeAttribute("aria-busy");
  const said = part.querySelector(":scope > .offline") ?? document.createElement("p");
  said.className = "notice notice-warn offline";
  said.setAttribute("role", "alert");
  said.textContent = document.body.dataset.offline;
  part.prepend(said);
}

/** The address that a form of method GET leads to, without its empty fields. */
function addressOf(form) {
  const address = new URL(form.getAttribute("action") || location.pathname, location.href);
  address.search = "";
  for (const [name, value] of new FormData(form)) {
    if (value) address.searchParams.append(name, value);
  }
  return address;
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-part]");
  if (form && !event.target.matches("input[type=search], input[type=text]")) {
    replacePart(form, addressOf(form));
  }
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("form[data-part]")) {
    event.preventDefault();
    replacePart(form, addressOf(form));
    return;
  }
  // A second press would ask again for what is under way.
  const button = event.submitter;
  if (button && form.method === "get") {
    form.classList.add("busy");
    button.setAttribute("aria-disabled", "true");
  }
});
// Add a quote to the brief without leaving the page.
async function addQuote(form) {
  form.classList.add("busy");
  try {
    const body = new URLSearchParams(new FormData(form));
    const response = await fetch(form.getAttribute("action"), { method: "POST", body, headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(String(response.status));
    const { message, brief } = await response.json();
    say(message);
    const link = document.createElement("a");
    link.href = new URL(brief, new URL(form.getAttribute("action"), location.href));
    link.className = "added-link";
    link.textContent = `✓ ${message}`;
    form.parentElement.querySelector(".added-link")?.remove();
    form.after(link);
  } catch (error) {
    if (error instanceof TypeError) offline(form.parentElement);
    else form.submit(); // the page that answers says what is wrong
  }
  form.classList.remove("busy");
}
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-add]")) return;
  event.preventDefault();
  addQuote(event.target);
});
addEventListener("popstate", () => {
  if (whole() !== shown) location.reload(); // a mere jump within the page also comes here
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return; // shown again as it was left
  document.querySelectorAll("form.busy").forEach((form) => form.classList.remove("busy"));
  document.querySelectorAll("button[aria-disabled]").forEach((each) => each.removeAttribute("aria-disabled"));
});

// The page of a brief where scripts run: saved while one writes, ordered by dragging or by keys.
// Every change is one of the page's own forms; the page that answers takes the place of this one.

const AUTOSAVE_MS = 1200;
const brief = () => document.getElementById("brief");
const word = (name) => brief().dataset[name];
const status = document.getElementById("status"); // is read out
let sending = Promise.resolve(); // one change after another: each needs the revision before it

/** Send a form and take the page that answers; `null` where nothing came back. */
async function send(form, values) {
  const body = new FormData(form);
  body.set("revision", brief().querySelector("input[name=revision]").value);
  for (const [name, value] of Object.entries(values)) body.set(name, value);
  try {
    const response = await fetch(form.getAttribute("action"), { method: "POST", body, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (!page.getElementById("brief")) throw new Error(String(response.status));
    return { page, accepted: response.ok };
  } catch {
    tell("failed", form);
    return null;
  }
}

/** Say how it went beside the form that was sent, and aloud. */
function tell(name, form) {
  if (form?.isConnected) {
    let state = form.querySelector(".brief-state");
    if (!state) {
      state = document.createElement("span");
      state.className = "brief-state";
      state.setAttribute("aria-hidden", "true");
      form.append(state);
    }
    state.textContent = word(name);
  }
  status.textContent = word(name);
}

const isUnsaved = (field) => field.value !== field.defaultValue;

/** Put the answer in the place of what is here, and the focus where it belongs; gives what has it. */
function show(page, focus, sent) {
  const begun = [...brief().querySelectorAll(".brief-write textarea")]
    .filter((field) => isUnsaved(field) && field.form !== sent);
  brief().replaceWith(document.adoptNode(page.getElementById("brief")));
  document.title = page.title;
  for (const old of begun) { // what was begun and not yet added stays
    const field = document.getElementById(old.id) ?? brief().querySelector(".brief-write textarea");
    field.value = [field.value, old.value].filter(Boolean).join("\n\n");
    field.closest("details").open = true;
  }
  enhance();
  const target = focus && focus.split(", ").map((each) => document.querySelector(each)).find(Boolean);
  (target || brief().querySelector("[role=alert]"))?.focus({ preventScroll: false });
  return target;
}

/** Do a change after those before it, and after what is written and not yet saved. */
function change(form, values, focus, said) {
  for (const field of brief().querySelectorAll("textarea[data-autosave]")) {
    if (field.form !== form) save(field);
  }
  sending = sending.then(async () => {
    if (!form.isConnected) return; // the page has changed under it: its numbers hold no more
    const answer = await send(form, values);
    if (!answer) return;
    const target = show(answer.page, answer.accepted ? focus : null, answer.accepted ? form : null);
    if (answer.accepted) tell(said, target?.closest("form") ?? target?.querySelector("form"));
  });
}

/** Save a paragraph and leave the page as it is, but for the revision. */
function save(field) {
  sending = sending.then(async () => {
    if (!field.isConnected || !isUnsaved(field) || !field.value.trim()) return;
    const written = field.value;
    field.form.querySelector(".brief-state").textContent = word("saving");
    const answer = await send(field.form, { do: "edit", text: written });
    if (!answer) return;
    if (!answer.accepted) {
      show(answer.page);
      return;
    }
    const { value } = answer.page.querySelector("#brief input[name=revision]");
    for (const each of brief().querySelectorAll("input[name=revision]")) each.value = value;
    field.defaultValue = written;
    if (field.value !== written) later(field);
    tell("saved", field.form);
  });
}

const timers = new WeakMap();
function later(field) {
  clearTimeout(timers.get(field));
  timers.set(field, setTimeout(() => save(field), AUTOSAVE_MS));
}

function moved(item, to) {
  const from = Number(item.dataset.block);
  const last = brief().querySelectorAll(".brief-block").length - 1;
  const place = Math.min(Math.max(to, 0), last);
  if (place === from) return;
  change(item.querySelector("form.actions"), { do: "to", to: place }, `#b${place}`, "moved");
}

/** A handle to drag a block by, for who has a mouse; others have the buttons beside it. */
function grip(item) {
  const handle = document.createElement("span");
  handle.className = "brief-grip";
  handle.setAttribute("aria-hidden", "true");
  handle.textContent = "⠿";
  handle.draggable = true;
  handle.addEventListener("dragstart", (event) => {
    dragged = item;
    item.classList.add("dragged");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", item.dataset.block);
    event.dataTransfer.setDragImage(item, 20, 20);
  });
  handle.addEventListener("dragend", () => {
    item.classList.remove("dragged");
    dragged = null;
  });
  item.querySelector("form.actions").prepend(handle);
}

let dragged = null;

/** A block that another can be dropped on, which takes its place. */
function droppable(item) {
  const clear = () => item.classList.remove("over", "over-end");
  item.addEventListener("dragover", (event) => {
    if (!dragged || dragged === item) return;
    event.preventDefault();
    clear();
    item.classList.add(Number(item.dataset.block) > Number(dragged.dataset.block) ? "over-end" : "over");
  });
  item.addEventListener("dragleave", clear);
  item.addEventListener("drop", (event) => {
    clear();
    if (!dragged || dragged === item) return;
    event.preventDefault();
    moved(dragged, Number(item.dataset.block));
  });
}

/** A button that copies what stands in a field; browsers have none to copy with on plain http. */
function copying(button) {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      return; // the link is selected, to be copied by hand
    }
    button.textContent = word("copied");
    status.textContent = word("copied");
  });
}

function enhance() {
  for (const item of brief().querySelectorAll(".brief-blocks > li")) {
    grip(item);
    droppable(item);
  }
  for (const field of brief().querySelectorAll("textarea[data-autosave]")) {
    field.addEventListener("input", () => {
      field.form.querySelector(".brief-state").textContent = ""; // no longer true
      later(field);
    });
    field.addEventListener("change", () => save(field));
  }
  for (const button of brief().querySelectorAll("[data-copy]")) copying(button);
  // A link that is to be passed on is chosen as a whole.
  for (const link of brief().querySelectorAll("input[readonly]")) {
    link.addEventListener("focus", () => link.select());
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const asked = event.submitter?.value;
  if (!form.matches("#brief form[data-brief]") || !asked) return;
  if (["delete", "forget", "current", "staff", "unstaff"].includes(asked)) return; // whole pages
  event.preventDefault();
  const at = Number(new FormData(form).get("block") ?? 0);
  const focus = {
    up: `#b${at - 1} [value=up], #b${at - 1} [value=down]`, // to be pressed again
    down: `#b${at + 1} [value=down], #b${at + 1} [value=up]`,
    write: `#b${at}`,
    edit: `#t${at}`,
    remove: `#b${Math.max(at - 1, 0)}`,
    rename: "#title",
  }[asked];
  change(form, { do: asked }, focus, ["up", "down"].includes(asked) ? "moved" : "saved");
});

addEventListener("beforeunload", (event) => {
  const fields = [...brief().querySelectorAll("textarea:not([readonly])")];
  if (fields.some(isUnsaved)) event.preventDefault();
});

enhance();

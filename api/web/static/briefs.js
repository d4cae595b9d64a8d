// The page of a brief where scripts run: saved while one writes, ordered by dragging or by keys.
// Every change is one of the page's own forms; the page that answers takes the place of this one.

import { say } from "./site.js";

const AUTOSAVE_MS = 1200;
const brief = () => document.getElementById("brief");
const word = (name) => brief().dataset[name];
let sending = Promise.resolve(); // one change after another: each needs the revision before it

/** Send a form and take the page that answers; `null` where nothing came back. */
async function send(form, values) {
  const body = new FormData(form);
  body.set("revision", brief().querySelector("input[name=revision]").value);
  for (const [name, value] of Object.entries(values)) body.set(name, value);
  try {
    const response = await fetch(form.getAttribute("action"), { method: "POST", body, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const elsewhere = response.redirected && new URL(response.url).pathname !== location.pathname;
    if (elsewhere || !page.getElementById("brief")) {
      location.assign(elsewhere ? response.url : location.href);
      return null;
    }
    return { page, accepted: response.ok };
  } catch {
    tell("failed");
    return null;
  }
}

function tell(name) {
  brief().querySelector(".brief-state").textContent = word(name);
  say(word(name));
}

/** Put the answer in the place of what is here, and the focus back to where it was. */
function show(page, focus) {
  const open = new Map([...document.querySelectorAll("textarea[data-autosave]")].map((each) => [each.id, each]));
  const fresh = document.adoptNode(page.getElementById("brief"));
  brief().replaceWith(fresh);
  document.title = page.title;
  for (const [id, old] of open) {
    // What was written since and not yet saved stays written, where it is the same paragraph.
    const now = document.getElementById(id);
    if (now && old.value !== old.defaultValue && now.value === old.defaultValue) now.value = old.value;
  }
  enhance();
  const target = focus && document.querySelector(focus);
  (target || brief().querySelector("[role=alert]"))?.focus({ preventScroll: false });
}

/** Do a change after those before it. */
function change(form, values, focus, said) {
  const step = async () => {
    const answer = await send(form, values);
    if (!answer) return;
    show(answer.page, answer.accepted ? focus : null);
    if (answer.accepted && said) tell(said);
  };
  sending = sending.then(step);
  return sending;
}

/** Save a paragraph and leave the page as it is, but for the revision. */
function save(field) {
  sending = sending.then(async () => {
    if (!field.isConnected || field.value === field.defaultValue || !field.value.trim()) return;
    const written = field.value;
    brief().querySelector(".brief-state").textContent = word("saving");
    const answer = await send(field.form, { do: "edit", text: written });
    if (!answer) return;
    if (!answer.accepted) {
      show(answer.page, null);
      return;
    }
    const { value } = answer.page.querySelector("#brief input[name=revision]");
    for (const each of brief().querySelectorAll("input[name=revision]")) each.value = value;
    field.defaultValue = written;
    if (field.value !== written) later(field);
    tell("saved");
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
  change(item.querySelector("form.actions"), { do: "to", to: place }, `#b${place} .brief-grip`, "moved");
}

/** A handle to drag a block by, which also listens to the arrow keys. */
function grip(item) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button-quiet button-small brief-grip";
  const name = item.querySelector("[value=remove] .visually-hidden")?.textContent ?? "";
  button.innerHTML = "";
  button.append("⠿");
  const label = document.createElement("span");
  label.className = "visually-hidden";
  label.textContent = `${word("drag")}${name}`;
  button.append(label);
  button.addEventListener("pointerdown", () => { item.draggable = true; });
  button.addEventListener("pointerup", () => { item.draggable = false; });
  button.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    moved(item, Number(item.dataset.block) + step);
  });
  item.querySelector("form.actions").prepend(button);
}

let dragged = null;
function draggable(item) {
  const below = (event) => event.offsetY > item.offsetHeight / 2;
  const clear = () => item.classList.remove("over", "over-end");
  item.addEventListener("dragstart", (event) => {
    if (!item.draggable) return;
    dragged = item;
    item.classList.add("dragged");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", item.dataset.block);
  });
  item.addEventListener("dragend", () => {
    item.draggable = false;
    item.classList.remove("dragged");
    dragged = null;
  });
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

function enhance() {
  for (const item of brief().querySelectorAll(".brief-blocks > li")) {
    grip(item);
    draggable(item);
  }
  for (const field of brief().querySelectorAll("textarea[data-autosave]")) {
    field.addEventListener("input", () => later(field));
    field.addEventListener("change", () => save(field));
  }
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
    up: `#b${Math.max(at - 1, 0)}`,
    down: `#b${at + 1}`,
    write: `#b${at}`,
    edit: `#t${at}`,
    remove: `#b${Math.max(at - 1, 0)}`,
    rename: "#title",
  }[asked];
  change(form, { do: asked }, focus, ["up", "down"].includes(asked) ? "moved" : "saved");
});

addEventListener("beforeunload", (event) => {
  const unsaved = [...document.querySelectorAll("textarea[data-autosave]")]
    .some((field) => field.value !== field.defaultValue);
  if (unsaved) event.preventDefault();
});

enhance();
